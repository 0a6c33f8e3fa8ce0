"""Muxing the encoded video with everything else of the source, copied packet by packet."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperacuity.errors import BadOutput
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import copying
from hyperacuity.formats.video.codecs import CODECS
from hyperacuity.formats.video.containers import BROADCAST, NO_NEGATIVE_TIMES
from hyperacuity.formats.video.encoder import EncoderTarget
from hyperacuity.formats.video.ffmpeg import keep_thread_priority
from hyperacuity.formats.video.packets import StoredPacket
from hyperacuity.formats.video.selecting import is_cover
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import decoding_times

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class MuxedFile:
    """A summary of what was muxed, for `verifying.verify`.

    Attributes:
        index: Of the video among the file's streams.
        pts: Of its frames, in order.
        time_base: The unit of these, in seconds.
        copies: The copied streams.
        attached: How many covers and attachments.
    """

    index: int
    pts: Sequence[int]
    time_base: Fraction
    copies: Sequence[copying.StreamSummary]
    attached: int


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

    Warns with `LossWarning` of what the container cannot hold.

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
        begin = _begin_time(video, source, min(pts))
        opened = _open_file(path, kind, video, encoder, source, begin, name)
        shift = int(opened.origin / video.time_base)
        with opened.container as target:
            index = opened.video.index
            own = _encoded_packets(opened.video, packets, pts, shift, video.time_base, duration)
            copies = opened.copies
            others = (
                copying.copied_packets(video, source, copies, begin, opened.origin) if source and copies else iter(())
            )
            _interleave(target, own, others)
        shown = [time - shift for time in sorted(pts)]
        return MuxedFile(
            index, shown, video.time_base, [copy.summary for copy in copies if copy.packets], opened.attached
        )
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise  # of the disk
        log: Any = error.log
        cure = "" if kind == "matroska" else "; Matroska (.mkv) may hold it"
        raise BadOutput(f"{name} cannot be muxed: {log[2].strip() if log else error}{cure}") from error
    finally:
        if source is not None:
            source.close()


@dataclass
class _OpenFile:
    """A file ready for packets of `video` and `copies`, with its `attached` covers and attachments already written.

    origin: the source's time, in seconds, that becomes 0.
    """

    container: av.container.OutputContainer
    video: av.VideoStream
    copies: list[copying.StreamCopy]
    attached: int
    origin: Fraction


def _open_file(
    path: Path,
    kind: str,
    video: VideoSource,
    encoder: EncoderTarget,
    source: av.container.InputContainer | None,
    begin: Fraction,
    name: str,
) -> _OpenFile:
    """Begin the file; warns of what the container cannot hold."""
    import av

    streams = list(source.streams) if source else []
    covers = copying.read_covers(video) if source else {}
    options, lost = _options(kind, video, source, bool(covers))
    for without in ((), ("data",)):  # support for such streams shows only when the header is written
        target = av.open(str(path), "w", format=kind, container_options=options)
        encoded = _add_video(target, video, encoder, next((one for one in streams if one.index == video.index), None))
        copies: list[copying.StreamCopy] = []
        losses = list(lost)
        for stream in streams:
            if stream.index == video.index or copying.is_chapters(stream) or copying.is_timecode(stream):
                continue
            copy = None if stream.type in without else copying.begin_copy(target, stream, covers.get(stream.index))
            if copy is None:
                losses.append(copying.describe_loss(stream, kind))
                continue
            if stream.type == "video" and stream.index not in covers:
                losses.append(f"stream {stream.index} is a second video; it is copied unchanged")
            copies.append(copy)
        timed = [copy for copy in copies if not copying.is_timeless(copy.source)]
        origin = _origin(video, begin, [copy.source.index for copy in timed], kind)
        if source is not None:
            copying.copy_metadata(target, source, origin)
        try:
            with keep_thread_priority():
                target.start_encoding()
            break
        except av.FFmpegError:
            if without:
                raise
            with contextlib.suppress(av.FFmpegError):
                target.close()
    if origin < begin and not video.part.start:
        losses.append(
            f"everything is {float(begin - origin):.3f} s later than in the source, whose sound begins before 0, which "
            "this container does not allow; video and sound stay together"
        )
    for line in losses:
        warnings.warn(LossWarning(f"{name}: {line}"), stacklevel=5)
    for copy in copies:
        if kind in copying.ISO and is_cover(copy.source):
            copying.mux_cover(target, copy, covers[copy.source.index])
    return _OpenFile(target, encoded, timed, len(copies) - len(timed), origin)


def _options(
    kind: str, video: VideoSource, source: av.container.InputContainer | None, covers: bool
) -> tuple[dict[str, str], list[str]]:
    """Options for FFmpeg's muxer; and what the container cannot hold, a clause each."""
    if kind not in copying.ISO:
        return {}, []
    # MP4's own clock counts milliseconds, to which FFmpeg would round the times at which streams begin.
    options = {"movflags": "+faststart", "movie_timescale": str(video.time_base.denominator)}
    further = sorted(set(copying.file_tags(source, kind)) - copying.NAMED) if source else []
    if further and covers:
        return options, [
            f"its tags {', '.join(further)} are left out, which this container cannot hold together with a cover"
        ]
    if further:
        options["movflags"] += "+use_metadata_tags"
    return options, []


def _begin_time(video: VideoSource, source: av.container.InputContainer | None, first: int) -> Fraction:
    """The time, in seconds, from which streams are copied; `first` is the pts of the first frame."""
    if video.part.start:
        return first * video.time_base
    if source is None or source.format.name not in BROADCAST:
        return Fraction(0)
    starts = [s.start_time * s.time_base for s in source.streams if s.start_time is not None and s.time_base]
    return _floored(min(starts, default=Fraction(0)), video)


def _origin(video: VideoSource, begin: Fraction, indices: Sequence[int], kind: str) -> Fraction:
    """The time, in seconds, that becomes 0; `indices` are those of the copied streams."""
    if kind not in NO_NEGATIVE_TIMES or not indices:
        return begin
    return min(begin, _floored(copying.earliest_time(video, begin, indices), video))


def _floored(time: Fraction, video: VideoSource) -> Fraction:
    """Rounded down to the video's time base."""
    return math.floor(time / video.time_base) * video.time_base


def _add_video(
    target: av.container.OutputContainer, video: VideoSource, encoder: EncoderTarget, like: av.stream.Stream | None
) -> av.VideoStream:
    stream: av.VideoStream = target.add_stream(CODECS[encoder.encoding.codec].encoder, rate=video.rate)  # type: ignore[assignment]
    encoder.configure(stream.codec_context)
    stream.time_base = video.time_base
    if encoder.encoding.codec == "h265" and target.format.name in ("mp4", "mov"):
        stream.codec_context.codec_tag = "hvc1"  # the tag that Apple's players need
    if video.display_matrix is not None:
        stream.set_display_matrix(video.display_matrix)
    if like is not None:
        stream.metadata.update(copying.kept_tags(like.metadata))
        stream.disposition = like.disposition
    return stream


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
        yield new


def _interleave(
    target: av.container.OutputContainer, video: Iterator[av.Packet[Any]], others: Iterator[av.Packet[Any]]
) -> None:
    """Mux packets in the order they are decoded; each stream is read only when its next packet is due."""
    next_video = next(video, None)
    for packet in others:
        assert packet.dts is not None
        while next_video is not None and _before(next_video, packet):
            target.mux(next_video)
            next_video = next(video, None)
        target.mux(packet)
    while next_video is not None:
        target.mux(next_video)
        next_video = next(video, None)


def _before(one: av.Packet[Any], other: av.Packet[Any]) -> bool:
    assert one.dts is not None
    assert other.dts is not None
    return one.dts * one.time_base <= other.dts * other.time_base
