"""Everything but the video, copied packet by packet: sound, subtitles, covers, attachments, chapters, tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hyperacuity.formats.video.reading import VideoSource

if TYPE_CHECKING:
    import av

# What containers say of themselves, and not of the video.
_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "number_of_frames"}
ISO = ("mp4", "mov")
# What MP4 and QuickTime have fields for; with other keys the file gets FFmpeg's table of free ones.
NAMED = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc", "location"),
    *("creation_time", "author", "year", "compilation", "media_type", "hd_video", "timecode", "language"),
}
# Where so many channels are taken to be heard when nothing is said.
_USUAL = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
# Packets that belong together may lie so many seconds apart in a file.
_APART = 10


@dataclass(frozen=True)
class Shape:
    """What a stream is seen to be by whoever demuxes it: for comparing files. packets: of PCM, which MP4 cuts anew, its
    bytes. first, last: when the earliest and the latest of its packets begin, in seconds; of PCM the earliest twice.
    """

    kind: str
    packets: int
    first: Fraction
    last: Fraction


@dataclass
class Copy:
    """One stream of the source on its way into the result."""

    source: av.stream.Stream
    target: av.stream.Stream
    packets: int = 0
    first: Fraction | None = None
    last: Fraction | None = None

    def count(self, packet: av.Packet[Any]) -> None:
        pcm = self.source.codec_context is not None and self.source.codec_context.name.startswith("pcm_")
        begin = time(packet)
        self.packets += packet.size if pcm else 1
        self.first = begin if self.first is None else min(self.first, begin)
        self.last = self.first if pcm or self.last is None else max(self.last, begin)

    @property
    def shape(self) -> Shape:
        return Shape(self.source.type, self.packets, self.first or Fraction(0), self.last or Fraction(0))


def time(packet: av.Packet[Any]) -> Fraction:
    """When it is shown or heard, in seconds; where that is not said, when it is decoded."""
    ticks = packet.dts if packet.pts is None else packet.pts
    assert ticks is not None
    return ticks * packet.time_base


def kept(metadata: dict[str, str]) -> dict[str, str]:
    """Without what belongs to the old file: its brands, and the statistics that mkvmerge leaves."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _OF_THE_FILE and not key.startswith(("_STATISTICS", "BPS", "NUMBER_OF", "DURATION"))
    }


def begun(target: av.container.OutputContainer, stream: av.stream.Stream, cover: bytes | None) -> Copy | None:
    """The copy of a stream, still without packets; None where the container takes none. cover: if it is one."""
    kind = target.format.name
    if (stream.type == "attachment" and kind != "matroska") or (cover is not None and kind == "webm"):
        return None
    if cover is not None and kind == "matroska":
        return Copy(stream, target.add_attachment(*_name_and_type(stream), cover))  # else it would be a second video
    try:
        copy = target.add_stream_from_template(stream, opaque=True)
    except ValueError:
        return None
    copy.metadata.update(kept(stream.metadata))
    copy.disposition = stream.disposition
    if kind in ISO and stream.type == "audio":
        _place_channels(copy.codec_context)
    return Copy(stream, copy)


def _place_channels(sound: Any) -> None:
    """MP4 must say where channels are heard, which plain PCM does not: there where players let them be heard."""
    if sound.layout.name.endswith("channels") and sound.layout.nb_channels in _USUAL:
        sound.layout = _USUAL[sound.layout.nb_channels]


def tags(source: av.container.InputContainer, kind: str) -> dict[str, str]:
    """A file's metadata, under the names that another of this `kind` has for it: Matroska has them in capitals."""
    named = {
        key.lower() if kind in ISO and key.lower() in NAMED else key: value for key, value in source.metadata.items()
    }
    return kept(named)


def describe(target: av.container.OutputContainer, source: av.container.InputContainer, origin: Fraction) -> None:
    """Metadata and chapters."""
    target.metadata.update(tags(source, target.format.name))
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        moved = round(origin / base)
        if chapter["end"] > moved:
            chapters.append({**chapter, "start": max(0, chapter["start"] - moved), "end": chapter["end"] - moved})
    target.set_chapters(chapters)  # type: ignore[arg-type]


def earliest(video: VideoSource, begin: Fraction, indices: Sequence[int]) -> Fraction:
    """The earliest time, in seconds, of these streams of a video that begins at `begin`."""
    with video.again() as source:
        copies = [Copy(source.streams[index], source.streams[index]) for index in indices]
        found = begin
        for packet in others(video, source, copies, begin, Fraction(0)) if copies else ():
            if time(packet) > begin + _APART:
                break
            found = min(found, time(packet))
    return found


def covers(video: VideoSource) -> dict[int, bytes]:
    """The cover pictures of a file, by the indices of their streams."""
    with video.again() as source:
        streams = [stream for stream in source.streams if is_cover(stream)]
        found: dict[int, bytes] = {}
        for packet in source.demux(streams) if streams else ():
            found.setdefault(packet.stream_index, bytes(packet))
            if len(found) == len(streams):
                break
    return found


def is_cover(stream: av.stream.Stream) -> bool:
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def is_timeless(stream: av.stream.Stream) -> bool:
    """Whether it is a cover or an attachment."""
    return stream.type == "attachment" or is_cover(stream)


def _name_and_type(cover: av.stream.Stream) -> tuple[str, str]:
    """Of the attachment that it becomes."""
    tags = {key.lower(): value for key, value in cover.metadata.items()}
    codec = cover.codec_context.name if cover.codec_context else "bin"
    ending, kind = ("jpg", "jpeg") if codec == "mjpeg" else (codec, codec)
    return tags.get("filename", f"cover.{ending}"), tags.get("mimetype", f"image/{kind}")


def is_timecode(stream: av.stream.Stream) -> bool:
    """Whether this is how QuickTime stores its time code, which is kept as a tag and made anew of that."""
    return stream.type == "data" and "timecode" in stream.metadata


def loss(stream: av.stream.Stream, kind: str) -> str:
    """What is said of a stream that a file of this `kind` does not take."""
    codec = f" as {stream.codec_context.name}" if stream.codec_context else ""
    language = f", {stream.language}" if stream.language not in (None, "und") else ""
    cure = "" if kind == "matroska" else "; Matroska (.mkv) holds most"
    what = f"stream {stream.index} ({stream.type}{codec}{language})"
    return f"{what} does not fit into this kind of file and is left out{cure}"


def is_chapters(stream: av.stream.Stream) -> bool:
    """Whether this is how MP4 stores chapters, which are written again as such."""
    import av

    return stream.type == "data" and stream.discard == av.stream.Discard.all


def mux_cover(target: av.container.OutputContainer, copy: Copy, data: bytes) -> None:
    """Write a cover that is a stream of one packet, as MP4 has them."""
    import av

    packet = av.Packet(data)
    packet.pts = packet.dts = 0
    packet.time_base = Fraction(1, 1000)
    packet.is_keyframe = True
    packet.stream = copy.target
    target.mux(packet)


def others(
    video: VideoSource, source: av.container.InputContainer, copies: Sequence[Copy], begin: Fraction, origin: Fraction
) -> Iterator[av.Packet[Any]]:
    """The packets of the copied streams that lie in the part taken, which begins at `begin`, counted from `origin`."""
    import av

    by_index = {copy.source.index: copy for copy in copies}
    end = None if video.part.duration is None else begin + video.part.duration
    if video.part.start and begin > _APART:
        source.seek(int((begin - _APART) * 1_000_000))
    try:
        for packet in source.demux([copy.source for copy in copies]):
            if packet.size == 0 or packet.dts is None:
                continue
            copy = by_index[packet.stream_index]
            over = time(packet) + (packet.duration or 0) * packet.time_base <= begin if video.part.start else False
            if over or (end is not None and time(packet) >= end):
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
