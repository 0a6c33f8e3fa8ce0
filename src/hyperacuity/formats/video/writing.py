"""A film's file: the new video and, packet by packet, everything else that the source holds."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperacuity.errors import BadOutput, UnsupportedFormat
from hyperacuity.formats.seam import LossWarning
from hyperacuity.formats.video.codecs import CODECS, Target, same_priority
from hyperacuity.formats.video.packets import Stored, decoding_times
from hyperacuity.formats.video.reading import Film

if TYPE_CHECKING:
    import av

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# What containers say of themselves, and not of the film.
_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "number_of_frames"}
# What MP4 and QuickTime have fields for; with other keys the file gets FFmpeg's table of free ones.
_NAMED = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc", "location"),
    *("creation_time", "author", "year", "compilation", "media_type", "hd_video", "timecode", "language"),
}
# Programs count their clock from anywhere; a file of ours begins at 0.
_BROADCAST = ("mpegts", "mpeg")
# How far a copied stream may begin or end from where it did, in seconds: Matroska counts in milliseconds.
TOLERANCE = Fraction(1, 100)


@dataclass(frozen=True)
class Shape:
    """What a stream is seen to be by whoever demuxes it: for comparing files. Times in seconds."""

    kind: str
    packets: int
    start: Fraction
    end: Fraction


@dataclass
class _Copy:
    """One stream of the source on its way into the result."""

    source: av.stream.Stream
    target: av.stream.Stream
    packets: int = 0
    start: Fraction | None = None
    end: Fraction = Fraction(0)

    def count(self, packet: av.Packet[Any]) -> None:
        time = packet.pts if packet.pts is not None else packet.dts
        assert time is not None
        self.packets += 1
        begin = time * packet.time_base
        self.start = begin if self.start is None else min(self.start, begin)
        self.end = max(self.end, begin + (packet.duration or 0) * packet.time_base)

    @property
    def shape(self) -> Shape:
        return Shape(self.source.type, self.packets, self.start or Fraction(0), self.end)


@dataclass
class Written:
    """What was put into a file, to be held against it; index: of the video among its streams."""

    index: int
    pts: Sequence[int]
    time_base: Fraction
    end: Fraction
    copies: list[Shape] = field(default_factory=list)


def check_container(path: Path, encoder: Target) -> None:
    """Raises `UnsupportedFormat` where a file of this ending cannot hold what the encoder makes."""
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


class _Nothing:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)


_nothing = _Nothing()


def mux(
    path: Path,
    kind: str,
    film: Film,
    encoder: Target,
    packets: Iterable[Stored],
    pts: Sequence[int],
    *,
    duration: int,
    name: str,
) -> Written:
    """Write the file `path` of a `kind` of `FORMATS`: the encoded packets, and what else the film's source holds.

    pts: of the packets, in their order, in the film's time base. duration: of the last frame shown. name: of the file,
    for warnings. Warns with `LossWarning` of what the container does not take.
    """
    import av

    source = _source(film)
    try:
        origin = _origin(film, source, min(pts))
        options = {"movflags": "+faststart"} if kind in ("mp4", "mov") else {}
        keys = set(source.metadata) - _OF_THE_FILE if source else set()
        if options and keys - _NAMED:
            options["movflags"] += "+use_metadata_tags"
        for kinds in (("audio", "subtitle", "video", "attachment", "data"), ("audio", "subtitle", "video")):
            target = av.open(str(path), "w", format=kind, container_options=options)
            copies = []
            for stream in source.streams if source else ():
                if stream.index == film.index:
                    video = _video(target, film, encoder, stream)
                elif not _chapters(stream):
                    copies += _copy(target, stream, kinds, name)
            if source is None:
                video = _video(target, film, encoder, None)
            else:
                _describe(target, source, origin)
            try:
                with same_priority():
                    target.start_encoding()
                break
            except av.FFmpegError:
                if kinds[-1] == "video":
                    raise
                _close_quietly(target)
        with target:
            index = video.index
            shift = origin / film.time_base
            own = _encoded(video, packets, pts, shift, film.time_base, duration)
            _interleave(target, own, _others(film, source, copies, origin) if source and copies else iter(()))
        return Written(
            index,
            [time - int(shift) for time in sorted(pts)],
            film.time_base,
            (max(pts) + duration) * film.time_base - origin,
            [copy.shape for copy in copies],
        )
    finally:
        if source is not None:
            source.close()


def _source(film: Film) -> av.container.InputContainer | None:
    """The film's file once more, for its other streams; None for pipes and frame folders, which have none."""
    return film.again() if film.holds_more else None


def _close_quietly(container: av.container.OutputContainer) -> None:
    import av

    with contextlib.suppress(av.FFmpegError):
        container.close()


def _origin(film: Film, source: av.container.InputContainer | None, first: int) -> Fraction:
    """The time, in seconds, that becomes 0."""
    if film.part.start:
        return first * film.time_base
    if source is None or source.format.name not in _BROADCAST:
        return Fraction(0)
    starts = [s.start_time * s.time_base for s in source.streams if s.start_time is not None and s.time_base]
    earliest = min(starts, default=Fraction(0))
    return Fraction(int(earliest / film.time_base)) * film.time_base


def _chapters(stream: av.stream.Stream) -> bool:
    """Whether this is how MP4 stores chapters, which are written again as such."""
    import av

    return stream.type == "data" and stream.discard == av.stream.Discard.all


def _video(
    target: av.container.OutputContainer, film: Film, encoder: Target, like: av.stream.Stream | None
) -> av.VideoStream:
    stream: av.VideoStream = target.add_stream(CODECS[encoder.encoding.codec].encoder, rate=film.rate)  # type: ignore[assignment]
    encoder.configure(stream.codec_context)
    stream.time_base = film.time_base
    if encoder.encoding.codec == "h265" and target.format.name in ("mp4", "mov"):
        stream.codec_context.codec_tag = "hvc1"  # what Apple's players know
    if film.matrix is not None:
        stream.set_display_matrix(film.matrix)
    if like is not None:
        stream.metadata.update(_kept(like.metadata))
        stream.disposition = like.disposition
    return stream


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    """Without what belongs to the old file: its brands, and the statistics that mkvmerge leaves."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _OF_THE_FILE and not key.startswith(("_STATISTICS", "BPS", "NUMBER_OF", "DURATION"))
    }


def _copy(
    target: av.container.OutputContainer, stream: av.stream.Stream, kinds: Sequence[str], name: str
) -> list[_Copy]:
    """One stream to be copied; none where the container does not take it, which is said."""
    import av

    language = f", {stream.language}" if stream.language not in (None, "und") else ""
    what = f"stream {stream.index} ({stream.type}{language})"
    try:
        if stream.type not in kinds:
            raise ValueError
        copy = target.add_stream_from_template(stream, opaque=True)
    except ValueError:
        warnings.warn(
            f"{name}: {what} does not fit into this kind of file and is left out; Matroska (.mkv) holds most",
            LossWarning,
            stacklevel=4,
        )
        return []
    copy.metadata.update(_kept(stream.metadata))
    copy.disposition = stream.disposition
    if stream.type == "video" and not stream.disposition & av.stream.Disposition.attached_pic:
        warnings.warn(f"{name}: {what} is a second film; it is copied as it is", LossWarning, stacklevel=4)
    return [_Copy(stream, copy)]


def _describe(target: av.container.OutputContainer, source: av.container.InputContainer, origin: Fraction) -> None:
    """Metadata and chapters."""
    target.metadata.update(_kept(source.metadata))
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        moved = round(origin / base)
        if chapter["end"] > moved:
            chapters.append({**chapter, "start": max(0, chapter["start"] - moved), "end": chapter["end"] - moved})
    target.set_chapters(chapters)  # type: ignore[arg-type]


def _encoded(
    stream: av.VideoStream,
    packets: Iterable[Stored],
    pts: Sequence[int],
    shift: Fraction,
    time_base: Fraction,
    duration: int,
) -> Iterator[av.Packet[Any]]:
    import av

    shown = sorted(pts)
    following = dict(zip(shown, [*shown[1:], shown[-1] + duration], strict=True))
    for packet, dts in zip(packets, decoding_times(pts), strict=True):
        new = av.Packet(packet.data)
        new.pts, new.dts = packet.pts - int(shift), dts - int(shift)
        new.duration = following[packet.pts] - packet.pts
        new.time_base = time_base
        new.is_keyframe = packet.key
        new.stream = stream
        yield new


def _others(
    film: Film, source: av.container.InputContainer, copies: Sequence[_Copy], origin: Fraction
) -> Iterator[av.Packet[Any]]:
    """The packets of the copied streams that lie in the part taken, counted from `origin`."""
    import av

    by_index = {copy.source.index: copy for copy in copies}
    end = None if film.part.duration is None else origin + film.part.duration
    wanted = [copy.source for copy in copies if copy.source.type != "attachment"]
    if film.part.start:
        source.seek(int(origin * 1_000_000))
    try:
        for packet in source.demux(wanted):
            if packet.size == 0 or packet.dts is None:
                continue
            copy = by_index[packet.stream_index]
            time = packet.pts if packet.pts is not None else packet.dts
            begin = time * packet.time_base
            cover = copy.source.disposition & av.stream.Disposition.attached_pic
            outside = begin + (packet.duration or 0) * packet.time_base <= origin if film.part.start else False
            if (outside or (end is not None and begin >= end)) and not cover:
                continue
            moved = round(origin / packet.time_base)
            packet.dts -= moved
            if packet.pts is not None:
                packet.pts -= moved
            copy.count(packet)
            packet.stream = copy.target
            yield packet
    except av.FFmpegError:
        return  # said already when the frames were read


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
            streams = [s for s in container.streams if s.type != "attachment" and not _chapters(s)]
            found = {stream.index: _Copy(stream, stream) for stream in streams}
            shown: list[int] = []
            for packet in container.demux(streams):
                if packet.size == 0:
                    continue
                found[packet.stream_index].count(packet)
                if packet.stream_index == own.index:
                    assert packet.pts is not None
                    shown.append(packet.pts)
            shapes = [copy.shape for index, copy in found.items() if index != own.index]
    except (av.FFmpegError, IndexError) as error:
        raise BadOutput(f"{name} cannot be read back: {error}") from error
    if len(shown) != len(written.pts):
        raise BadOutput(f"{name} holds {len(shown)} frames of {len(written.pts)}")
    for number, (time, wanted) in enumerate(zip(sorted(shown), written.pts, strict=True)):
        moved = abs(time * base - wanted * written.time_base)
        if moved >= base:
            raise BadOutput(f"{name}: frame {number} is shown {float(moved):.4f} s too early or too late")
    wanted_shapes = [shape for shape in written.copies if shape.kind != "attachment"]
    if len(shapes) != len(wanted_shapes):
        raise BadOutput(f"{name} holds {len(shapes)} streams beside the video, not {len(wanted_shapes)}")
    for here, shape in zip(shapes, wanted_shapes, strict=True):
        off = max(abs(here.start - shape.start), abs(here.end - shape.end))
        if here.packets != shape.packets or (shape.packets and off > TOLERANCE):
            raise BadOutput(
                f"{name}: {shape.kind} has {here.packets} packets from {float(here.start):.3f} to "
                f"{float(here.end):.3f} s, the source {shape.packets} from {float(shape.start):.3f} to "
                f"{float(shape.end):.3f} s"
            )
