"""Reads the time stamps of a whole file, without decoding anything: what its streams say about time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity.formats.video.comparing import StreamSpan
from hyperacuity.formats.video.continuity import find_corrections
from hyperacuity.formats.video.corrections import Continuity, StampLog, StreamCorrection
from hyperacuity.formats.video.timeline import DecodingOrder

if TYPE_CHECKING:
    import av

# How far behind a part its last packets may lie, in seconds.
_MARGIN = 10
# A higher rate of a codec is not that of its frames.
_FASTEST = 300
# Within this many packets before a restart, the demuxer notices that others are missing.
_SEAM = 3
# How many packets at most a decoder is primed with.
_PRIMING = 2


@dataclass(frozen=True)
class FileTimes:
    """What the packets of a file say about time, after corrections.

    Attributes:
        continuity: The corrections.
        time_base: The unit of `shown`, in seconds.
        shown: When each frame of the video is shown, in order.
        others: The other timed streams, by index; those without packets are missing.
        key: When the first key frame is shown; None if there is none, or if the container lacks times.
    """

    continuity: Continuity
    time_base: Fraction
    shown: Sequence[int]
    others: Mapping[int, StreamSpan] = field(default_factory=dict)
    key: int | None = None


class PacketCorrector:
    """Corrects the time stamps of packets, read from the beginning of a file.

    Args:
        continuity: The corrections of the file.

    Attributes:
        at_seam: Whether the last packet is one of the last of its stream before a restart.
        after_seam: Whether it is the first after one.
        replaced: Whether its own time stamps were wrong.
    """

    def __init__(self, continuity: Continuity) -> None:
        self._streams = continuity.streams
        self._count: dict[int, int] = {}
        self.at_seam = self.after_seam = self.replaced = False

    def correct(self, packet: av.Packet[Any]) -> bool:
        """Correct a packet in place; returns False if it is to be left out."""
        stream = packet.stream_index
        self.at_seam = self.after_seam = self.replaced = False
        if ends_stream(packet) or stream not in self._streams:
            return True
        index = self._count.get(stream, 0)
        self._count[stream] = index + 1
        own = self._streams[stream]
        self.at_seam = any(index < begin <= index + _SEAM for begin in own.begins)
        self.after_seam = index > 0 and index in own.begins
        self.replaced = index in own.replaced
        if index in own.dropped:
            return False
        packet.dts, packet.pts = own.correct(index, packet.dts, packet.pts)
        return True


class HiddenPackets:
    """Leaves out packets that a source hides, because they lie before or after the cut of an edit list.

    The few packets that only prime a decoder are kept. Where a cut hides more, the last of them is kept if the result
    can hide it again; if not, what is hidden would be heard.

    Args:
        hides: Whether the result can hide what lies before its beginning.
    """

    def __init__(self, *, hides: bool) -> None:
        self._hides = hides
        self._held: dict[int, list[av.Packet[Any]]] = {}
        self._count: dict[int, int] = {}
        self._begun: set[int] = set()

    def pass_on(self, packet: av.Packet[Any]) -> list[av.Packet[Any]]:
        """Returns the packets to copy, now that one more is known."""
        stream = packet.stream_index
        if packet.is_discard:
            if stream not in self._begun:
                self._held[stream] = [*self._held.get(stream, []), packet][-_PRIMING:]
                self._count[stream] = self._count.get(stream, 0) + 1
            return []
        if stream in self._begun:
            return [packet]
        held, cut = self._held.pop(stream, []), self._count.get(stream, 0) > _PRIMING
        if cut and not self._hides and packet.pts is not None and packet.pts < 0:
            return []  # partly hidden
        self._begun.add(stream)
        return [*(held[-1:] if cut and self._hides else [] if cut else held), packet]


class LatePackets:
    """Finds packets that FFmpeg returns at the end of a file, and which lie further ahead in it.

    It does so with the last packets before another MPEG-TS was joined that numbers its streams otherwise.

    Attributes:
        count: How many were found.
    """

    def __init__(self) -> None:
        self.count = 0
        self._places: dict[int, int] = {}  # of the last packet of each stream, in bytes

    def is_late(self, container: av.container.InputContainer, packet: av.Packet[Any]) -> bool:
        """Whether the next packet of the file comes too late."""
        if container.format.name != "mpegts" or packet.pos is None or packet.pos < 0:
            return False
        before = self._places.get(packet.stream_index, -1)
        self._places[packet.stream_index] = max(before, packet.pos)
        self.count += packet.pos < before
        return packet.pos < before


def demux(
    container: av.container.InputContainer, streams: Sequence[av.stream.Stream], late: LatePackets | None = None
) -> Generator[av.Packet[Any], None, bool]:
    """Yields the packets of some streams; returns whether further streams have begun inside the file.

    Args:
        container: The file.
        streams: Some of its streams.
        late: Counts the packets that are left out because they come too late.
    """
    late = late or LatePackets()
    try:
        for packet in container.demux(streams):
            if not late.is_late(container, packet):
                yield packet
    except IndexError:  # of PyAV, at the end of such a file
        return True
    return False


def presented_packets(
    continuity: Continuity,
    container: av.container.InputContainer,
    streams: Sequence[av.stream.Stream],
    *,
    hides: bool,
) -> Iterator[av.Packet[Any]]:
    """Yields the packets of some streams that are presented, with corrected time stamps.

    Args:
        continuity: The corrections of the file.
        container: The file, just opened.
        streams: Those to read.
        hides: See `HiddenPackets`.
    """
    corrector, hidden = PacketCorrector(continuity), HiddenPackets(hides=hides)
    for packet in demux(container, streams):
        if corrector.correct(packet) and packet.size:
            yield from hidden.pass_on(packet)


def ends_stream(packet: av.Packet[Any]) -> bool:
    """Whether a packet only says that its stream ends; another empty one repeats the frame before, as in Theora."""
    return packet.size == 0 and packet.pts is None and packet.dts is None


def has_sample_table(container: av.container.InputContainer) -> bool:
    """Whether a container lists the times of all its packets (MP4, QuickTime), so that none can be wrong."""
    return container.format.name.startswith("mov,")


def lacks_display_order(container: av.container.InputContainer) -> bool:
    """Whether a container has only the order in which packets are decoded, and not when their frames are shown."""
    return container.format.name == "avi" or lacks_time(container)


def lacks_time(container: av.container.InputContainer) -> bool:
    """Whether a container is a bare stream of packets without time stamps."""
    import av

    flag: Any = av.format.Flags.no_timestamps
    return bool(container.format.flags & flag.value)


def frame_rate(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction:
    """Returns the frames per second of a stream, about; where it has no times, as its codec says, or 25."""
    if lacks_time(container):
        coded = Fraction(stream.codec_context.framerate or 0)
        return coded if 1 <= coded <= _FASTEST else Fraction(stream.average_rate or 25)
    average = None if container.format.name == "dv" else stream.average_rate  # of DV: that of its clock
    return Fraction(average or stream.guessed_rate or 25)


def nominal_interval(stream: av.VideoStream, rate: Fraction) -> int:
    """Returns the interval between frames at a rate, in units of the stream's time base."""
    return max(1, round(1 / rate / (stream.time_base or Fraction(1, 1000))))


def scan(
    container: av.container.InputContainer, video: int, rate: Fraction, *, part: tuple[Fraction, Fraction | None] | None
) -> FileTimes:
    """Read the time stamps of a file; what is damaged ends it early.

    Args:
        container: The file, just opened.
        video: The index of its video stream.
        rate: Of the video, in frames per second, about.
        part: Where the part of interest begins and ends, in seconds, in a file that can be entered anywhere; None for
            the whole file.
    """
    logs, late = _read(container, video, part)
    base = logs[video].time_base
    if lacks_display_order(container):
        stream: Any = container.streams[video]
        order = DecodingOrder(nominal_interval(stream, rate), reorders=bool(stream.codec_context.has_b_frames))
        known = not lacks_time(container)
        shown = sorted(order.add(dts if known else None) for dts in logs[video].dts)
        return FileTimes(Continuity(), base, shown, _spans(container, logs, video, {}))
    found = Continuity()
    if not has_sample_table(container):
        found = find_corrections(logs, video, 1 / rate, steady=container.format.name.startswith("matroska"))
    found = replace(found, late=late)
    visible = ~np.array(logs[video].hidden, bool)
    times = found.streams.get(video, StreamCorrection()).correct_all(logs[video].presented())
    keys = times[visible & np.array(logs[video].keys, bool)]
    spans = _spans(container, logs, video, found.streams)
    return FileTimes(found, base, np.sort(times[visible]).tolist(), spans, int(keys[0]) if len(keys) else None)


def _read(
    container: av.container.InputContainer, video: int, part: tuple[Fraction, Fraction | None] | None
) -> tuple[dict[int, StampLog], int]:
    """The time stamps of all packets, by stream, and how many packets come too late."""
    import av

    covers = av.stream.Disposition.attached_pic
    timed = [
        stream
        for stream in container.streams
        if stream.time_base
        and stream.type in ("video", "audio", "subtitle", "data")
        and not stream.disposition & covers
        and stream.discard != av.stream.Discard.all
    ]
    logs = {
        stream.index: StampLog(Fraction(stream.time_base or 1), stream.type in ("video", "audio")) for stream in timed
    }
    place, late, end = 0, LatePackets(), part[1] if part is not None else None
    try:
        if part is not None and part[0] > 0:
            container.seek(int(part[0] * 1_000_000))
        for packet in demux(container, timed, late):
            if ends_stream(packet):
                continue
            if end is not None and packet.dts is not None and packet.dts * packet.time_base > end + _MARGIN:
                break
            logs[packet.stream_index].add(
                place,
                packet.dts,
                packet.pts,
                packet.duration or 0,
                key=packet.is_keyframe,
                corrupt=packet.is_corrupt,
                hidden=packet.is_discard,
            )
            place += 1
    except av.FFmpegError:
        pass  # a warning is given when the frames are read
    return logs, late.count


def _spans(
    container: av.container.InputContainer,
    logs: Mapping[int, StampLog],
    video: int,
    corrections: Mapping[int, StreamCorrection],
) -> dict[int, StreamSpan]:
    found = {}
    for index, log in logs.items():
        if index == video or not len(log.dts):
            continue
        own = corrections.get(index, StreamCorrection())
        kept = np.ones(len(log.dts), bool)
        kept[list(own.dropped)] = False
        hidden = np.array(log.hidden, bool)[kept]
        begins = own.correct_all(log.presented())
        visible = begins[~hidden]
        if not len(visible):
            continue
        ends = (begins + np.array(log.durations, np.int64)[kept])[~hidden]
        base = float(log.time_base)
        found[index] = StreamSpan(
            container.streams[index].type,
            float(visible.min()) * base,
            float(ends.max()) * base,
            float(visible.min() - begins.min()) * base,
            float((ends - visible).max()) * base,
        )
    return found
