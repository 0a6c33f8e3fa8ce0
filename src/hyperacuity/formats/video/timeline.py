"""Time stamps, as plain numbers: which frames a part holds, when each is shown and decoded. Does not use FFmpeg."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.frames import PlanarFrame

# Seconds by which durations of frames may differ in a video of constant rate: containers round times.
_CONSTANT_RATE = Fraction(2, 1000)


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
