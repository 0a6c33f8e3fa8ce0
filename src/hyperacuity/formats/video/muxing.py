"""Muxing the encoded video with everything else of the source, copied packet by packet."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperacuity.counting import counted
from hyperacuity.errors import BadOutput
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import copying
from hyperacuity.formats.video.containers import NO_NEGATIVE_TIMES
from hyperacuity.formats.video.encoder import EncoderTarget
from hyperacuity.formats.video.matroska import add_chapters, set_display
from hyperacuity.formats.video.opening import begin_time, open_result
from hyperacuity.formats.video.packets import StoredPacket
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import decoding_times

if TYPE_CHECKING:
    import av

# FFmpeg's number for what Matroska stores next to a packet.
_BLOCK_ADDITIONAL = 15


@dataclass(frozen=True)
class MuxedFile:
    """A summary of what was muxed, for `verifying.verify`.

    Attributes:
        index: Of the video among the file's streams.
        pts: Of its frames, in order.
        time_base: The unit of these, in seconds.
        copies: The copied streams.
        attached: How many covers and attachments.
        origin: The source's time, in seconds, that became 0.
    """

    index: int
    pts: Sequence[int]
    time_base: Fraction
    copies: Sequence[copying.StreamSummary]
    attached: int
    origin: Fraction


def mux(
    path: Path,
    kind: str,
    video: VideoSource,
    encoder: EncoderTarget,
    packets: Iterable[StoredPacket],
    pts: Sequence[int],
    *,
    duration: int,
    name: str,
) -> MuxedFile:
    """Write a file of the encoded packets and of everything else that the video's source holds.

    `opening.check_result` says what the container cannot hold.

    Args:
        path: The file to write.
        kind: Its container, a value of `CONTAINERS`.
        video: The source, for its other streams, chapters and tags.
        encoder: The encoder of the packets.
        packets: Of all frames, in the order of decoding.
        pts: Of the packets, in their order, in the video's time base.
        duration: Of the last frame shown, in the video's time base.
        name: The name of the file in warnings and errors.

    Returns:
        A summary of what was muxed.

    Raises:
        BadOutput: If FFmpeg fails.
    """
    import av

    source = video.reopen() if video.is_container else None
    try:
        begin = begin_time(video, source, min(pts))
        opened = open_result(path, kind, video, encoder, source, begin)
        shift = int(opened.origin / video.time_base)
        with opened.container as target:
            index = opened.video.index
            own = _encoded_packets(opened.video, packets, pts, shift, video.time_base, duration)
            copies, hides = opened.copies, kind not in NO_NEGATIVE_TIMES
            others: Iterator[av.Packet[Any]] = iter(())
            if source and copies:
                others = copying.copied_packets(video, source, copies, begin, opened.origin, hides=hides)
            _interleave(target, own, others, {copy.target.index: copy for copy in copies})
        _warn_of_damage(name, copies)
        if opened.chapters:
            add_chapters(path, opened.chapters)
        if opened.display is not None:
            set_display(path, opened.display)
        shown = [time - shift for time in sorted(pts)]
        summaries = [copy.summary for copy in copies if copy.packets]
        return MuxedFile(index, shown, video.time_base, summaries, opened.attached, shift * video.time_base)
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise  # of the disk
        log: Any = error.log
        cure = "" if kind == "matroska" else "; Matroska (.mkv) may hold it"
        raise BadOutput(f"{name} cannot be muxed: {log[2].strip() if log else error}{cure}") from error
    finally:
        if source is not None:
            source.close()


def _encoded_packets(
    stream: av.VideoStream,
    packets: Iterable[StoredPacket],
    pts: Sequence[int],
    shift: int,
    time_base: Fraction,
    duration: int,
) -> Iterator[av.Packet[Any]]:
    import av

    shown = sorted(pts)
    following = dict(zip(shown, [*shown[1:], shown[-1] + duration], strict=True))
    for packet, dts in zip(packets, decoding_times(pts), strict=True):
        new = av.Packet(packet.data)
        new.pts, new.dts = packet.pts - shift, dts - shift
        new.duration = following[packet.pts] - packet.pts
        new.time_base = time_base
        new.is_keyframe = packet.key
        new.stream = stream
        if packet.beside:
            beside: Any = av.packet.PacketSideData(_BLOCK_ADDITIONAL, len(packet.beside))  # type: ignore[call-arg]
            beside.update(packet.beside)
            new.set_sidedata(beside)
        yield new


def _interleave(
    target: av.container.OutputContainer,
    video: Iterator[av.Packet[Any]],
    others: Iterator[av.Packet[Any]],
    copies: Mapping[int, copying.StreamCopy],
) -> None:
    """Mux packets in the order they are decoded; each stream is read only when its next packet is due.

    `copies` are those of the other streams, by the index of their targets.
    """
    import av

    next_video = next(video, None)
    for packet in others:
        assert packet.dts is not None
        while next_video is not None and _before(next_video, packet):
            target.mux(next_video)
            next_video = next(video, None)
        copy, begin, size = copies[packet.stream_index], copying.packet_time(packet), packet.size
        try:
            target.mux(packet)
        except (av.InvalidDataError, av.error.PatchWelcomeError):
            copy.damaged += 1
        else:
            copy.count(begin, size)
    while next_video is not None:
        target.mux(next_video)
        next_video = next(video, None)


def _warn_of_damage(name: str, copies: Iterable[copying.StreamCopy]) -> None:
    for copy in copies:
        if copy.damaged:
            packets = counted(copy.damaged, "damaged packet")
            message = f"{name}: {packets} of stream {copy.source.index} ({copy.source.type}) left out"
            warnings.warn(LossWarning(message), stacklevel=3)


def _before(one: av.Packet[Any], other: av.Packet[Any]) -> bool:
    assert one.dts is not None
    assert other.dts is not None
    return one.dts * one.time_base <= other.dts * other.time_base
