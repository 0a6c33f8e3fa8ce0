"""What time it is in the result: the source's own clock, laid on ours anew at each connection."""

from __future__ import annotations

from fractions import Fraction

# A source that has sent so many seconds more than have passed is no camera: a file behind a URL, or in a pipe.
AHEAD = 3.0
# What a source is ahead or behind by is forgotten at this rate a second: the clock of a camera may be wrong by less.
_FORGOTTEN = 0.01
# A step of the source's time that is longer than the wait for it by so many seconds is a new clock.
_JUMP, _JUMP_PACED = 1.0, 10.0
_TICK = Fraction(1, 1000)
# A step back by less is a frame that the decoder gives too late to be shown, and not a clock that begins anew.
_BACK = Fraction(1, 2)
# How much of the time between two frames is that of the last two, and how much was known before.
_FRESH = 0.1


class Timeline:
    """Maps the source's time stamps to seconds since the beginning, so that nothing dropped moves the rest.

    The first frame of a connection is placed by its arrival, the others by the source's time stamps; where these leap
    or go back, by arrival again, and never before what has been. paced: the source does not send as time passes (a
    file, segments), so `early` says how long to wait until its frames would have come from a camera. All times are
    seconds; `arrival` and `now` are counted from the beginning of the run.
    """

    def __init__(self) -> None:
        self.paced = False
        self._offset: Fraction | None = None
        self._last: tuple[Fraction, float] = Fraction(0), 0.0  # time stamp and arrival
        self._latest: Fraction | None = None  # place
        self._lead = 0.0
        self._moved = 0.0  # from a frame's place to when it is due
        self.period: float | None = None  # between two frames, on the average of late

    def connect(self, *, paced: bool) -> None:
        """Another connection: its clock is a new one."""
        self._offset, self.paced = None, paced

    def place(self, stamp: Fraction, arrival: float) -> Fraction | None:
        """When a video frame with this time stamp is shown; None where it comes too late."""
        before, earlier = self._last
        step, gap = stamp - before, arrival - earlier
        if self._offset is not None and -_BACK < step <= 0:
            return None
        if self._offset is None or step <= 0 or step > gap + (_JUMP_PACED if self.paced else _JUMP + AHEAD):
            place = Fraction(arrival).limit_denominator(90_000)
            if self._latest is not None:
                place = max(place, self._latest + _TICK)
            self._offset, self._lead, self._moved = place - stamp, 0.0, arrival - float(place)
        else:
            place = stamp + self._offset
            known = float(step) if self.period is None else self.period
            self.period = known + _FRESH * (float(step) - known)
            self._lead = (self._lead + float(step) - gap) * max(0.0, 1 - _FORGOTTEN * gap)
            if self._lead > AHEAD and not self.paced:
                self.paced, self._moved = True, arrival - float(place)
        self._last, self._latest = (stamp, arrival), place
        return place

    def shifted(self, stamp: Fraction) -> Fraction | None:
        """The same for sound, which follows the video; None before the connection's first frame."""
        return None if self._offset is None else stamp + self._offset

    def early(self, place: Fraction, now: float) -> float:
        """How many seconds too early a paced source's frame is; where one is late, so are all after it."""
        early = float(place) + self._moved - now
        if early < 0:
            self._moved -= early
        return max(0.0, early)
