"""Time stamps of the result: the source's clock, aligned with ours at each connection."""

from __future__ import annotations

from fractions import Fraction

from hyperacuity.formats.video.timeline import is_restart

# A source that is ahead of real time by more than this many seconds is not a camera but a recording, behind a URL or in
# a pipe.
AHEAD = 3.0
# A source's lead decays at this rate per second: the drift of a camera's clock is smaller.
_FORGOTTEN = 0.01
# If the source's time steps by this many seconds more than has passed, its clock was reset.
_JUMP, _JUMP_PACED = 1.0, 10.0
_TICK = Fraction(1, 1000)
# A smaller step back is a frame that the decoder delivered too late to be shown; a larger one is a reset clock.
_BACK = Fraction(1, 2)
# The weight of the newest interval in the running average of the time between two frames.
_FRESH = 0.1


class Timeline:
    """Maps the source's time stamps to seconds since the run began, so that dropped frames do not shift the others.

    The first frame of a connection is placed by its arrival, later ones by the source's time stamps. If time stamps
    jump or go back, the next frame is placed by its arrival again, but never before an earlier frame. All times are in
    seconds; `arrival` and `now` count from the beginning of the run.

    Attributes:
        paced: The source does not deliver frames in real time (a file, segments); `early` then returns how long to
            wait until a camera would have delivered the frame.
        period: The running average of the time between two frames; None before the second.
    """

    def __init__(self) -> None:
        self.paced = False
        self._offset: Fraction | None = None
        self._last: tuple[Fraction, float] = Fraction(0), 0.0  # time stamp and arrival of the last frame
        self._latest: Fraction | None = None  # when the last frame is shown
        self._lead = 0.0
        self._moved = 0.0  # from the time stamp of a frame to the time at which to pass it on
        self.period: float | None = None

    def connect(self, *, paced: bool) -> None:
        """Begin a new connection, whose clock is unrelated to the previous one."""
        self._offset, self.paced = None, paced

    def place(self, stamp: Fraction, arrival: float) -> Fraction | None:
        """Returns when a frame with this time stamp is shown; None if it arrives too late to be shown."""
        before, earlier = self._last
        step, gap = stamp - before, arrival - earlier
        if self._offset is not None and -_BACK < step <= 0:
            return None
        slack = _JUMP_PACED if self.paced else _JUMP + AHEAD
        if self._offset is None or is_restart(step, gap, back=_BACK, slack=slack):
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
        """Returns the time for sound, which follows the video; None before the connection's first frame."""
        return None if self._offset is None else stamp + self._offset

    def early(self, place: Fraction, now: float) -> float:
        """Returns how many seconds too early a paced source's frame is; a late frame delays all after it."""
        early = float(place) + self._moved - now
        if early < 0:
            self._moved -= early
        return max(0.0, early)
