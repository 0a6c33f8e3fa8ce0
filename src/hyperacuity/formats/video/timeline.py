"""Time stamps, as plain numbers: parts of a video, clocks that restart, frames in order. Does not use FFmpeg."""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.frames import PlanarFrame

# Seconds by which durations of frames may differ in a video of constant rate: containers round times.
_CONSTANT_RATE = Fraction(2, 1000)
# An encoder may hold back this many frames after the first, for which AVI then has empty places.
_ENCODER_DELAY = 4


@dataclass(frozen=True)
class Part:
    """The part of a video to read.

    Attributes:
        start: Where it begins, in seconds from the video's beginning.
        duration: How long it is, in seconds; None for the rest of the video.
    """

    start: Fraction = Fraction(0)
    duration: Fraction | None = None

    def __post_init__(self) -> None:
        if self.start < 0:
            raise UsageError("start must not be negative")
        if self.duration is not None and self.duration <= 0:
            raise UsageError("duration must be positive")

    def bounds(self, start: int, time_base: Fraction) -> tuple[int, Fraction | None]:
        """Returns the pts of the start and of the end (exclusive) of the part.

        Args:
            start: The pts at which the video begins.
            time_base: The unit of pts, in seconds.
        """
        first = start + round(self.start / time_base)
        return first, None if self.duration is None else first + self.duration / time_base

    def count_frames(self, frames: int, rate: Fraction) -> int:
        """Returns about how many of a video's frames the part holds, at `rate` frames per second."""
        if self == WHOLE or not frames:
            return frames
        left = max(Fraction(0), frames / rate - self.start)
        return round(min(left, self.duration or left) * rate)


WHOLE = Part()


@dataclass(frozen=True)
class PtsRange(Part):
    """A part by time stamps that are known from the packets.

    Attributes:
        first: The pts of its first frame.
        end: The pts of the first frame after it; None for the rest of the video.
    """

    first: int = 0
    end: int | None = None

    def bounds(self, start: int, time_base: Fraction) -> tuple[int, Fraction | None]:
        """See `Part.bounds`."""
        return self.first, None if self.end is None else Fraction(self.end)


def is_restart(step: float | Fraction, elapsed: float | Fraction, *, back: float | Fraction, slack: float) -> bool:
    """Whether a source's clock was set anew: it went back, or leapt ahead of the time that really passed.

    Args:
        step: From the last time stamp to this one, in seconds.
        elapsed: The time that passed between the two by another clock, in seconds: ours, where frames arrive live; that
            of the file's other streams, where it is read from a file.
        back: A smaller step back is only a frame out of order.
        slack: By how much more than `elapsed` an honest step may be.
    """
    return step <= -back or step > elapsed + slack


class DecodingOrder:
    """Gives time stamps to frames of a file that has only the order in which packets are decoded, such as AVI.

    The frames come out of the decoder in the order in which they are shown, so the earliest time that is left belongs
    to the next frame.

    Args:
        interval: The nominal interval of frames, in units of the time base.
        reorders: Whether frames are shown in another order than they are decoded: such an encoder may hold back frames
            after the first, and the empty places that it leaves there are closed.

    Attributes:
        empty: How many places for frames were empty.
    """

    def __init__(self, interval: int, *, reorders: bool) -> None:
        self._interval, self._reorders = interval, reorders
        self._times: list[int] = []  # a heap
        self._count = self._delay = 0
        self._next = 0  # the time of a packet or a frame without a time stamp
        self._shown = -interval
        self.empty = 0

    def add(self, dts: int | None) -> int:
        """Record a packet; returns its place among the times."""
        if dts is not None and self._count == 1 and self._reorders:
            gap = dts - self._next
            self._delay = gap if 0 < gap <= _ENCODER_DELAY * self._interval else 0
            self.empty += self._delay // self._interval
        time = self._next if dts is None else dts - self._delay
        if self._count:
            self.empty += max(0, time - self._next) // self._interval
        self._count += 1
        self._next = time + self._interval
        heapq.heappush(self._times, time)
        return time

    def remove(self, time: int) -> None:
        """Remove the place of a packet that holds no frame."""
        if time in self._times:
            self._times.remove(time)
            heapq.heapify(self._times)

    def take(self) -> int:
        """Returns the time stamp of the next frame from the decoder."""
        self._shown = heapq.heappop(self._times) if self._times else self._shown + self._interval
        return self._shown


def select(frames: Iterable[PlanarFrame], first: int, end: Fraction | None) -> Iterator[PlanarFrame]:
    """Yields the frames from `first` to before `end`, each later than the one before.

    Some broken videos have two frames at one time: the second is moved by one unit.
    """
    last: int | None = None
    for frame in frames:
        if frame.pts < first:
            continue
        if end is not None and frame.pts >= end:
            return
        last = frame.pts if last is None or frame.pts > last else last + 1
        yield replace(frame, pts=last)


def last_duration(duration: int, rate: Fraction, time_base: Fraction) -> int:
    """Returns the duration of a video's last frame: its own, or the mean one if it is unknown (0)."""
    return duration or max(1, round(1 / rate / time_base))


def uneven_durations(times: Sequence[int], time_base: Fraction) -> tuple[Fraction, Fraction] | None:
    """Returns the shortest and the longest duration between frames, in seconds; None for a constant rate.

    Args:
        times: The pts of all frames in order.
        time_base: The unit of pts, in seconds; also the rounding that a constant rate may show.
    """
    steps = [(later - earlier) * time_base for earlier, later in itertools.pairwise(times)]
    if steps and max(steps) - min(steps) > max(_CONSTANT_RATE, time_base):
        return min(steps), max(steps)
    return None


def decoding_times(pts: Sequence[int]) -> list[int]:
    """Returns when each packet is to be decoded.

    These are the pts sorted, moved by the fewest frames that let no frame be shown before it is decoded.

    Args:
        pts: Of the packets in the order of decoding, all different.
    """
    shown = sorted(pts)
    delay = max((n - bisect_left(shown, time) for n, time in enumerate(pts)), default=0)
    step = shown[1] - shown[0] if len(shown) > 1 else 1
    return [shown[0] - step * n for n in range(delay, 0, -1)] + shown[: len(shown) - delay]
