"""Time stamps of a file as they are stored, and how they are corrected. Does not use FFmpeg."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hyperacuity.counting import counted
from hyperacuity.quantiles import median

Ticks = NDArray[np.int64]

_UNKNOWN = -(1 << 62)
# If more than this share of packets has no pts, they have it only at key frames.
_MANY = 0.05
# The greatest number of frames that codecs reorder.
_REORDERED = 16
# How many restarts a message lists.
_NAMED = 3


@dataclass
class StampLog:
    """The time stamps of a stream's packets in the order of the file.

    Args:
        time_base: The unit of time stamps, in seconds.
        dense: Whether packets follow each other without pauses, as those of video and sound do.
    """

    time_base: Fraction
    dense: bool = True
    dts: array[int] = field(default_factory=lambda: array("q"))
    pts: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))  # among the packets of all streams
    durations: array[int] = field(default_factory=lambda: array("q"))
    keys: bytearray = field(default_factory=bytearray)
    corrupt: bytearray = field(default_factory=bytearray)
    hidden: bytearray = field(default_factory=bytearray)

    def add(
        self,
        place: int,
        dts: int | None,
        pts: int | None,
        duration: int = 0,
        *,
        key: bool = False,
        corrupt: bool = False,
        hidden: bool = False,
    ) -> None:
        """Record a packet; `place` is its index among the packets of all streams."""
        self.dts.append(_UNKNOWN if dts is None else dts)
        self.pts.append(_UNKNOWN if pts is None else pts)
        self.places.append(place)
        self.durations.append(duration)
        self.keys.append(key)
        self.corrupt.append(corrupt)
        self.hidden.append(hidden)

    def decoded(self) -> Ticks:
        """Returns when each packet is decoded: dts, or pts; without both, it follows the packet before."""
        dts, pts = np.array(self.dts, np.int64), np.array(self.pts, np.int64)
        times = np.where(dts == _UNKNOWN, pts, dts)
        # Matroska has no dts, and FFmpeg gives none to the first packets of streams with reordered frames.
        begun = int(np.argmax(dts != _UNKNOWN))
        if 0 < begun <= _REORDERED:
            times[:begun] = np.minimum(times[:begun], dts[begun])
        known = np.flatnonzero(times != _UNKNOWN)
        if not len(known):
            return np.zeros_like(times)
        durations = np.array(self.durations, np.int64)
        durations = durations[durations > 0]
        step = int(median(durations)) if len(durations) else 0
        index = np.arange(len(times))
        last = np.maximum.accumulate(np.where(times == _UNKNOWN, known[0], index))
        followed: Ticks = times[last] + step * (index - last)
        return followed

    def presented(self) -> Ticks:
        """Returns when each packet is presented: pts; where it is missing, as long after decoding as others are.

        If many are missing, these times are right as a whole and not for each packet.
        """
        pts, times = np.array(self.pts, np.int64), self.decoded()
        missing = pts == _UNKNOWN
        if not missing.any():
            return pts
        if missing.all():
            return times
        delay = pts[~missing].min() - times[~missing].min()
        return times + delay if missing.mean() > _MANY else np.where(missing, times + delay, pts)


@dataclass(frozen=True)
class StreamCorrection:
    """How the time stamps of one stream are corrected, by the index of its packets.

    Attributes:
        begins: The first packet of each part.
        shifts: What is added in each part, in units of the time base.
        replaced: dts and pts of packets whose own are wrong.
        dropped: Packets that overlap the next part.
    """

    begins: Sequence[int] = (0,)
    shifts: Sequence[int] = (0,)
    replaced: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    dropped: frozenset[int] = frozenset()

    def correct(self, index: int, dts: int | None, pts: int | None) -> tuple[int | None, int | None]:
        """Returns dts and pts of a packet, corrected."""
        if index in self.replaced:
            return self.replaced[index]
        shift = self.shifts[bisect_right(self.begins, index) - 1]
        return (None if dts is None else dts + shift), (None if pts is None else pts + shift)

    def correct_all(self, begins: Ticks) -> Ticks:
        """Returns when all packets of the stream are presented, corrected, without those that are dropped."""
        corrected = begins + np.repeat(self.shifts, np.diff([*self.begins, len(begins)]))
        for index, (_, pts) in self.replaced.items():
            corrected[index] = pts
        kept = np.ones(len(begins), bool)
        kept[list(self.dropped)] = False
        presented: Ticks = corrected[kept]
        return presented


@dataclass(frozen=True)
class Continuity:
    """The corrections of a file.

    Attributes:
        streams: By the index of the stream; streams without corrections are missing.
        restarts: When a part begins after a restart or leap of the clock, in seconds of the corrected time.
        outliers: When the frames of the video with wrong time stamps are shown, in seconds of the corrected time.
        sounds: How many packets of other streams have wrong time stamps.
        own: Other streams whose clock restarts or leaps by itself, by index.
        moved: How far other streams are stamped from the video, in seconds, with which they then begin; by index.
        late: How many packets before a join come only at the end of the file, and are left out.
    """

    streams: Mapping[int, StreamCorrection] = field(default_factory=dict)
    restarts: Sequence[Fraction] = ()
    outliers: Sequence[Fraction] = ()
    sounds: int = 0
    own: Sequence[int] = ()
    moved: Mapping[int, Fraction] = field(default_factory=dict)
    late: int = 0

    def describe(self, start: Fraction) -> list[str]:
        """Returns a clause for each kind of correction; `start` is when the video begins, in seconds."""
        clauses = []
        if self.restarts:
            times = ", ".join(f"{float(time - start):.2f} s" for time in self.restarts[:_NAMED])
            more = f" and {len(self.restarts) - _NAMED} more times" if len(self.restarts) > _NAMED else ""
            clauses.append(
                f"its clock restarts or leaps at {times}{more}, as in joined recordings; what follows continues there"
            )
        if self.outliers:
            frames = counted(len(self.outliers), "frame")
            clauses.append(
                f"wrong time stamps of {frames} at {float(self.outliers[0] - start):.2f} s are replaced by those that "
                "the other frames imply"
            )
        if self.sounds:
            packets = counted(self.sounds, "packet")
            clauses.append(
                f"wrong time stamps of {packets} of other streams are replaced by those that their neighbours imply"
            )
        clauses += [
            f"the clock of stream {index} restarts or leaps by itself and is made continuous" for index in self.own
        ]
        for index, away in self.moved.items():
            clauses.append(
                f"stream {index} is stamped {abs(float(away)):.2f} s away from the video, among whose packets it lies; "
                "it is moved to begin with the video"
            )
        lost = sum(len(each.dropped) for each in self.streams.values())
        if lost:
            packets = counted(lost, "packet")
            clauses.append(
                f"where the next recording begins, {packets} of other streams would overlap it and are left out"
            )
        if self.late:
            packets = counted(self.late, "packet")
            clauses.append(f"{packets} just before the next recording cannot be read in order, and left out")
        return clauses
