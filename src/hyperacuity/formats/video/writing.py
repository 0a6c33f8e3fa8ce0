"""A video's file: the new video and, packet by packet, everything else that the source holds."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperacuity.errors import BadOutput, UnsupportedFormat
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import copying
from hyperacuity.formats.video.codecs import CODECS, Target, same_priority
from hyperacuity.formats.video.packets import Stored, decoding_times
from hyperacuity.formats.video.reading import VideoSource

if TYPE_CHECKING:
    import av

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# These count their clock from anywhere; a file of ours begins at 0.
_BROADCAST = ("mpegts", "mpeg")
# These know no times before 0, where MP4 keeps the packets that only prepare a decoder of sound.
_FROM_ZERO = ("matroska", "webm")
# How far a copied stream may begin or end from where it did, in seconds: Matroska counts in milliseconds.
TOLERANCE = Fraction(1, 100)


@dataclass
class Written:
    """What was put into a file, to be held against it; index: of the video among its streams. attached: cover pictures
    and attachments.
    """

    index: int
    pts: Sequence[int]
    time_base: Fraction
    copies: Sequence[copying.Shape]
    attached: int


def check_container(path: Path, encoder: Target) -> None:
    """Raises `UnsupportedFormat` where a file of this ending cannot hold what is encoded; warns of what it loses."""
    import av

    kind = FORMATS[path.suffix.lower()]
    codec = CODECS[encoder.encoding.codec].encoder
    with av.open(_nothing, "w", format=kind) as container:
        try:
            container.add_stream(codec)
        except ValueError as error:
            raise UnsupportedFormat(
                f"{path.suffix} cannot hold {encoder.encoding.codec}: write {path.stem}.mkv, or take another --codec"
            ) from error
    # PyAV gives Matroska's muxer no shape of pixels, so only codecs that say it themselves have one there.
    if kind in _FROM_ZERO and encoder.aspect not in (None, 1) and not CODECS[encoder.encoding.codec].tells_aspect:
        warnings.warn(
            f"{path}: that its pixels are {encoder.aspect} as wide as high cannot be said of {encoder.encoding.codec} "
            f"in {path.suffix}: write {path.stem}.mp4, or take another --codec",
            LossWarning,
            stacklevel=3,
        )


class _Nothing:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)


_nothing = _Nothing()


def mux(
    path: Path,
    kind: str,
    video: VideoSource,
    encoder: Target,
    packets: Iterable[Stored],
    pts: Sequence[int],
    *,
    duration: int,
    name: str,
) -> Written:
    """Write the file `path` of a `kind` of `FORMATS`: the encoded packets, and what else the video's source holds.

    pts: of the packets, in their order, in the video's time base. duration: of the last frame shown. name: of the file,
    for warnings. Warns with `LossWarning` of what the container does not take; raises `BadOutput` where FFmpeg fails.
    """
    import av

    source = video.again() if video.holds_more else None
    try:
        begin = _begin(video, source, min(pts))
        opened = _opened(path, kind, video, encoder, source, begin, name)
        shift = int(opened.origin / video.time_base)
        with opened.container as target:
            index = opened.video.index
            own = _encoded(opened.video, packets, pts, shift, video.time_base, duration)
            copies = opened.copies
            others = copying.others(video, source, copies, begin, opened.origin) if source and copies else iter(())
            _interleave(target, own, others)
        shown = [time - shift for time in sorted(pts)]
        return Written(index, shown, video.time_base, [copy.shape for copy in copies if copy.packets], opened.attached)
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise  # of the disk
        log: Any = error.log
        cure = "" if kind == "matroska" else "; Matroska (.mkv) may hold it"
        raise BadOutput(f"{name} cannot be put together: {log[2].strip() if log else error}{cure}") from error
    finally:
        if source is not None:
            source.close()


@dataclass
class _Opened:
    """A file that waits for packets of `video` and `copies`; its covers and attachments, `attached` many, are there.
    origin: the time of the source, in seconds, that is 0 in it.
    """

    container: av.container.OutputContainer
    video: av.VideoStream
    copies: list[copying.Copy]
    attached: int
    origin: Fraction


def _opened(
    path: Path,
    kind: str,
    video: VideoSource,
    encoder: Target,
    source: av.container.InputContainer | None,
    begin: Fraction,
    name: str,
) -> _Opened:
    """Warns of what the container does not take."""
    import av

    streams = list(source.streams) if source else []
    covers = copying.covers(video) if source else {}
    options, lost = _options(kind, video, source, bool(covers))
    for without in ((), ("data",)):  # what a container takes of these shows when its head is written
        target = av.open(str(path), "w", format=kind, container_options=options)
        encoded = _video(target, video, encoder, next((one for one in streams if one.index == video.index), None))
        copies: list[copying.Copy] = []
        told = list(lost)
        for stream in streams:
            if stream.index == video.index or copying.is_chapters(stream) or copying.is_timecode(stream):
                continue
            copy = None if stream.type in without else copying.begun(target, stream, covers.get(stream.index))
            if copy is None:
                told.append(copying.loss(stream, kind))
                continue
            if stream.type == "video" and stream.index not in covers:
                told.append(f"stream {stream.index} is a second video; it is copied as it is")
            copies.append(copy)
        timed = [copy for copy in copies if not copying.is_timeless(copy.source)]
        origin = _origin(video, begin, [copy.source.index for copy in timed], kind)
        if source is not None:
            copying.describe(target, source, origin)
        try:
            with same_priority():
                target.start_encoding()
            break
        except av.FFmpegError:
            if without:
                raise
            with contextlib.suppress(av.FFmpegError):
                target.close()
    if origin < begin and not video.part.start:
        told.append(
            f"all is {float(begin - origin):.3f} s later than in the source, whose sound begins before 0, which this "
            "kind of file cannot say; picture and sound stay together"
        )
    for line in told:
        warnings.warn(f"{name}: {line}", LossWarning, stacklevel=5)
    for copy in copies:
        if kind in copying.ISO and copying.is_cover(copy.source):
            copying.mux_cover(target, copy, covers[copy.source.index])
    return _Opened(target, encoded, timed, len(copies) - len(timed), origin)


def _options(
    kind: str, video: VideoSource, source: av.container.InputContainer | None, covers: bool
) -> tuple[dict[str, str], list[str]]:
    """For FFmpeg's muxer; and what it cannot hold, in words."""
    if kind not in copying.ISO:
        return {}, []
    # Its own clock counts milliseconds, to which it would round the times at which streams begin.
    options = {"movflags": "+faststart", "movie_timescale": str(video.time_base.denominator)}
    further = sorted(set(copying.tags(source, kind)) - copying.NAMED) if source else []
    if further and covers:
        return options, [
            f"its tags {', '.join(further)} are left out, which this kind of file cannot hold beside a cover"
        ]
    if further:
        options["movflags"] += "+use_metadata_tags"
    return options, []


def _begin(video: VideoSource, source: av.container.InputContainer | None, first: int) -> Fraction:
    """The time, in seconds, from which streams are copied; first: that of the first frame."""
    if video.part.start:
        return first * video.time_base
    if source is None or source.format.name not in _BROADCAST:
        return Fraction(0)
    starts = [s.start_time * s.time_base for s in source.streams if s.start_time is not None and s.time_base]
    return _floored(min(starts, default=Fraction(0)), video)


def _origin(video: VideoSource, begin: Fraction, indices: Sequence[int], kind: str) -> Fraction:
    """The time, in seconds, that becomes 0; indices: of the streams that are copied."""
    if kind not in _FROM_ZERO or not indices:
        return begin
    return min(begin, _floored(copying.earliest(video, begin, indices), video))


def _floored(time: Fraction, video: VideoSource) -> Fraction:
    """In whole units of the video's time base."""
    return math.floor(time / video.time_base) * video.time_base


def _video(
    target: av.container.OutputContainer, video: VideoSource, encoder: Target, like: av.stream.Stream | None
) -> av.VideoStream:
    stream: av.VideoStream = target.add_stream(CODECS[encoder.encoding.codec].encoder, rate=video.rate)  # type: ignore[assignment]
    encoder.configure(stream.codec_context)
    stream.time_base = video.time_base
    if encoder.encoding.codec == "h265" and target.format.name in ("mp4", "mov"):
        stream.codec_context.codec_tag = "hvc1"  # what Apple's players know
    if video.matrix is not None:
        stream.set_display_matrix(video.matrix)
    if like is not None:
        stream.metadata.update(copying.kept(like.metadata))
        stream.disposition = like.disposition
    return stream


def _encoded(
    stream: av.VideoStream,
    packets: Iterable[Stored],
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
    """Mux packets by the time they are decoded; each is taken from its stream only when its turn comes."""
    next_own = next(video, None)
    for packet in others:
        assert packet.dts is not None
        while next_own is not None and _before(next_own, packet):
            target.mux(next_own)
            next_own = next(video, None)
        target.mux(packet)
    while next_own is not None:
        target.mux(next_own)
        next_own = next(video, None)


def _before(one: av.Packet[Any], other: av.Packet[Any]) -> bool:
    assert one.dts is not None
    assert other.dts is not None
    return one.dts * one.time_base <= other.dts * other.time_base


def verify(path: Path, name: str, written: Written) -> None:
    """Read the file back and hold its streams against what was put in: number and times of the packets.

    Raises `BadOutput` for what is missing or has moved by more than the container's own unit of time.
    """
    import av

    try:
        with av.open(str(path)) as container:
            own = container.streams[written.index]
            base = own.time_base or Fraction(1)
            attached = sum(copying.is_timeless(stream) for stream in container.streams)
            timed = [s for s in container.streams if not copying.is_timeless(s)]
            streams = [s for s in timed if not (copying.is_chapters(s) or copying.is_timecode(s))]
            found = {stream.index: copying.Copy(stream, stream) for stream in streams}
            shown: list[int] = []
            for packet in container.demux(streams):
                if packet.size == 0:
                    continue
                found[packet.stream_index].count(packet)
                if packet.stream_index == own.index:
                    assert packet.pts is not None
                    shown.append(packet.pts)
            shapes = [copy.shape for index, copy in found.items() if index != own.index and copy.packets]
    except (av.FFmpegError, IndexError) as error:
        raise BadOutput(f"{name} cannot be read back: {error}") from error
    if len(shown) != len(written.pts):
        raise BadOutput(f"{name} holds {len(shown)} frames of {len(written.pts)}")
    for number, (time, wanted) in enumerate(zip(sorted(shown), written.pts, strict=True)):
        moved = abs(time * base - wanted * written.time_base)
        if moved >= base:
            raise BadOutput(f"{name}: frame {number} is shown {float(moved):.4f} s too early or too late")
    if (len(shapes), attached) != (len(written.copies), written.attached):
        raise BadOutput(
            f"{name} holds {len(shapes)} streams and {attached} attachments beside the video, not "
            f"{len(written.copies)} and {written.attached}"
        )
    for here, shape in zip(shapes, written.copies, strict=True):
        off = max(abs(here.first - shape.first), abs(here.last - shape.last))
        if here.packets != shape.packets or off > TOLERANCE:
            raise BadOutput(
                f"{name}: {shape.kind} has {here.packets} packets from {float(here.first):.3f} to "
                f"{float(here.last):.3f} s, the source {shape.packets} from {float(shape.first):.3f} to "
                f"{float(shape.last):.3f} s"
            )
