"""Damaged videos, as plain records: which frames are missing, what replaces them, what is cut short.

Does not use FFmpeg.

A damaged frame never shifts the others: the last good frame is repeated at its time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from hyperacuity.formats.video.frames import PlanarFrame

# A video that ends this many seconds before the end in its tags is incomplete.
_EARLY = Fraction(1, 2)


@dataclass(frozen=True)
class PacketRecord:
    """The properties of one packet that matter here.

    Attributes:
        pts: When its frame is shown; None if unknown.
        key: Whether it is a key frame.
        corrupt: Whether the container marks it as corrupt.
        hidden: Whether its frame is not shown.
        decodable: Whether the decoder took it.
    """

    pts: int | None
    key: bool = False
    corrupt: bool = False
    hidden: bool = False
    decodable: bool = True


class LeadIn:
    """Leaves out what comes before the first key frame of a recording that begins in the middle.

    Attributes:
        skipped: How many packets were left out.
        length: From the first of them to the first key frame, in units of the time base; 0 if unknown.
    """

    def __init__(self) -> None:
        self.skipped = self.length = 0
        self._held: list[PacketRecord] | None = []

    def pass_on(self, packet: PacketRecord, *, decoded: bool, last: bool) -> list[PacketRecord]:
        """Returns the packets that count, as soon as that is known.

        Args:
            packet: The next one.
            decoded: Whether a frame has come out of the decoder by now: then no packet is left out.
            last: Whether the file ends here.
        """
        if self._held is None:
            return [packet]
        held, self._held = self._held, None
        if decoded or last:
            return [*held, packet]
        if packet.key and not packet.corrupt:
            self.skipped = len(held)
            times = [one.pts for one in held if one.pts is not None]
            if times and packet.pts is not None:
                self.length = max(0, packet.pts - min(times))
            return [packet]
        self._held = [*held, packet]
        return []


class DamageMender:
    """Repeats the last good frame for those that are damaged or missing.

    After a packet that cannot be decoded, frames may be missing until the next key frame: until then the time of each
    packet is expected. Elsewhere a packet without a frame is not damage (VP8 has such packets).
    """

    def __init__(self) -> None:
        self._expected: list[int] = []  # a heap of pts
        self._corrupt: set[int] = set()
        self._broken = False
        self._good: PlanarFrame | None = None
        self._early: list[int] = []  # times before the first good frame
        self._repeated: set[int] = set()  # times at which a frame is missed no more

    def add_packet(self, packet: PacketRecord) -> None:
        """Record a packet, before its frames are added."""
        if packet.key and not packet.corrupt:
            self._broken = False
        if not packet.decodable:
            self._broken = True
        if packet.pts is None:
            return
        if self._broken and not packet.hidden:
            heapq.heappush(self._expected, packet.pts)
        if packet.corrupt:
            self._corrupt.add(packet.pts)

    def is_damaged(self, pts: int, *, corrupt: bool) -> bool:
        """Whether a decoded frame is damaged: the decoder says so (`corrupt`), or its packet was corrupt."""
        damaged = corrupt or pts in self._corrupt
        self._corrupt.discard(pts)
        return damaged

    def add_frame(self, frame: PlanarFrame, *, damaged: bool) -> Iterator[PlanarFrame]:
        """Yields what is shown up to and including the time of a decoded frame."""
        while self._expected and self._expected[0] < frame.pts:
            yield from self._repeat(heapq.heappop(self._expected))
        if frame.pts in self._repeated:
            return  # the decoder was late
        if self._expected and self._expected[0] == frame.pts:
            heapq.heappop(self._expected)
        if damaged:
            yield from self._repeat(frame.pts)
            return
        self._good = frame
        for pts in self._early:
            yield frame.repeat_at(pts)
        self._early.clear()
        yield frame

    def repeat(self, pts: int | None) -> Iterator[PlanarFrame]:
        """Yields the last frame once more where its source says so, which is not damage."""
        if self._good is not None and pts is not None:
            yield replace(self._good, pts=pts, duration=0)

    def finish(self) -> Iterator[PlanarFrame]:
        """Yields what is shown after the last decoded frame."""
        while self._expected:
            yield from self._repeat(heapq.heappop(self._expected))

    def _repeat(self, pts: int) -> Iterator[PlanarFrame]:
        self._repeated.add(pts)
        if self._good is None:
            self._early.append(pts)
        else:
            yield self._good.repeat_at(pts)


@dataclass
class PacketTally:
    """Counts the packets of a video that have been read.

    Attributes:
        packets: How many, hidden ones too: MP4 counts them.
        length: Their bytes.
        end: When the last of them ends, in units of the time base.
        place: Where the last of them begins in the file, in bytes; 0 if unknown.
    """

    packets: int = 0
    length: int = 0
    end: int = 0
    place: int = 0

    def add(self, pts: int | None, duration: int, size: int, place: int = 0) -> None:
        """Count one packet; the empty one at the end of a file counts by its time alone."""
        if pts is not None:
            self.end = max(self.end, pts + duration)
        self.place = max(self.place, place)
        self.packets += size > 0
        self.length += size

    def describe_missing(self, promised: int, end: Fraction, time_base: Fraction) -> str:
        """Returns a clause that names what is missing from a file read to its end; "" if it is complete.

        Args:
            promised: The number of frames according to the file; 0 if it has none.
            end: The end of the video according to its tags, in seconds; 0 if unknown.
            time_base: The unit of the packets' times, in seconds.
        """
        if self.packets < promised:
            return f"is cut short: it has {self.packets} of {promised} frames"
        reached = self.end * time_base
        if reached < end - _EARLY:
            return f"is damaged or cut short: its video ends at {float(reached):.2f} of {float(end):.2f} s"
        return ""
