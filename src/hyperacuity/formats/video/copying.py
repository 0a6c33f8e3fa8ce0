"""Everything but the video, copied packet by packet: sound, subtitles, covers, attachments, chapters, tags."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hyperacuity.formats.video.containers import Discard, open_target
from hyperacuity.formats.video.ffmpeg import keep_thread_priority
from hyperacuity.formats.video.scanning import presented_packets
from hyperacuity.formats.video.selecting import is_cover
from hyperacuity.formats.video.source import VideoSource

if TYPE_CHECKING:
    import av

# Tags that describe the file and not the video.
_FILE_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "number_of_frames"}
# Statistics of the old stream, with the language that some tools append.
_STATISTICS = re.compile(r"(_STATISTICS_.*|BPS|NUMBER_OF_(FRAMES|BYTES)|DURATION)(-.*)?", re.IGNORECASE)
# How MP4's clock reads if it was not set.
_UNSET_TIME = ("1970-01-01T00:00:00", "1904-01-01T00:00:00")
ISO = ("mp4", "mov")
# The tags of a stream with a field in MP4; those that say nothing in other containers; and those that are not tags, but
# names of other properties.
_ISO_STREAM_TAGS = {"title", "language", "handler_name", "timecode", "creation_time"}
_ISO_DEFAULTS = {("handler_name", "VideoHandler"), ("handler_name", "SoundHandler"), ("vendor_id", "[0][0][0][0]")}
_REPLACED_TAGS = {"name", "vendor_id", "stereo_mode", "alpha_mode", "filename", "mimetype", "rotate"}
# Keys with a field in MP4 and QuickTime; other keys need FFmpeg's table of free ones.
NAMED = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc", "location"),
    *("creation_time", "author", "year", "compilation", "media_type", "hd_video", "timecode", "language"),
}
# The usual layout for each number of channels.
_CHANNEL_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
# Matroska rounds times to milliseconds.
_TICK = Fraction(1, 1000)
# How far apart packets of one time may lie in a file, in seconds.
_INTERLEAVING = 10


@dataclass(frozen=True)
class StreamSummary:
    """A summary of a stream's packets, for comparing files.

    Attributes:
        kind: "audio", "subtitle" ...
        packets: How many; of PCM, which MP4 cuts into other packets, the bytes.
        first, last: When the earliest and the latest packet begin, in seconds; of PCM the earliest twice.
        index: The stream's, in the source.
    """

    kind: str
    packets: int
    first: Fraction
    last: Fraction
    index: int


@dataclass
class StreamCopy:
    """A stream of the source that is copied into the result, and a count of its packets.

    Attributes:
        source, target: The stream and its copy.
        packets, first, last: See `StreamSummary`.
        damaged: How many packets the container does not take, because what they hold is damaged.
        decoded: When the last packet is decoded, in the source's time base.
    """

    source: av.stream.Stream
    target: av.stream.Stream
    packets: int = 0
    damaged: int = 0
    decoded: int | None = None
    first: Fraction | None = None
    last: Fraction | None = None

    def count(self, begin: Fraction, size: int) -> None:
        """Count one packet of `size` bytes that is presented at `begin`, in seconds."""
        pcm = self.source.codec_context is not None and self.source.codec_context.name.startswith("pcm_")
        self.packets += size if pcm else 1
        self.first = begin if self.first is None else min(self.first, begin)
        self.last = self.first if pcm or self.last is None else max(self.last, begin)

    def keep_order(self, packet: av.Packet[Any]) -> None:
        """Let a packet follow the one before: where recordings overlap a little, no container takes it as it is."""
        assert packet.dts is not None
        step = 0
        if self.source.type in ("audio", "video"):  # a tick of the coarser clock
            step = max(1, math.ceil((self.target.time_base or 0) / packet.time_base))
        if self.decoded is not None and packet.dts < self.decoded + step:
            packet.dts = self.decoded + step
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        self.decoded = packet.dts

    @property
    def summary(self) -> StreamSummary:
        """The counts so far."""
        first, last = self.first or Fraction(0), self.last or Fraction(0)
        return StreamSummary(self.source.type, self.packets, first, last, self.source.index)


def packet_time(packet: av.Packet[Any]) -> Fraction:
    """Returns when a packet is presented, in seconds; if that is unknown, when it is decoded."""
    ticks = packet.dts if packet.pts is None else packet.pts
    assert ticks is not None
    return ticks * packet.time_base


def kept_tags(metadata: dict[str, str]) -> dict[str, str]:
    """Returns tags without those of the old file: its brands, mkvmerge's statistics, a date that was never set."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _FILE_TAGS and not _STATISTICS.fullmatch(key) and not value.startswith(_UNSET_TIME)
    }


def stream_tags(stream: av.stream.Stream, kind: str) -> dict[str, str]:
    """Returns a stream's tags under the names that the container `kind` uses, without those that it cannot hold."""
    tags = kept_tags(stream.metadata)
    if "name" in tags:  # MP4's name of a track, which FFmpeg writes by another name than it reads
        tags.setdefault("title", tags.pop("name"))
    if kind not in ISO:
        return {key: value for key, value in tags.items() if (key, value) not in _ISO_DEFAULTS}
    named = {key.lower() if key.lower() in _ISO_STREAM_TAGS else key: value for key, value in tags.items()}
    return {key: value for key, value in named.items() if key in _ISO_STREAM_TAGS}


def lost_tags(stream: av.stream.Stream, kind: str) -> list[str]:
    """Returns a clause that names the tags of a stream that the container `kind` cannot hold, if there are any."""
    tags = kept_tags(stream.metadata)
    if kind in ISO:
        lost = sorted(key for key in tags if key.lower() not in _ISO_STREAM_TAGS | _REPLACED_TAGS)
        cure = "Matroska (.mkv) holds them"
    else:  # Matroska has one date for all streams
        ours = stream.container.metadata.get("creation_time")
        lost = [key for key in tags if key.lower() == "creation_time" and tags[key] != ours]
        cure = "MP4 holds them"
    return [f"the tags {', '.join(lost)} of stream {stream.index} are left out; {cure}"] if lost else []


def fits(stream: av.stream.Stream, kind: str, cover: bytes | None) -> str:
    """Returns how a container takes a copy of a stream: "officially", "unofficially", or "" if it does not.

    Args:
        stream: Of the source.
        kind: The container.
        cover: The image, if the stream is a cover.
    """
    import av

    if (stream.type == "attachment" and kind != "matroska") or (cover is not None and kind in ("webm", "mov")):
        return ""
    if cover is not None and kind == "matroska":
        return "officially"
    for chained in (False, True) if kind == "matroska" and stream.type == "audio" else (False,):
        discard = Discard()
        target = open_target(discard, kind, {}, chained=chained)
        try:
            if begin_copy(target, kind, stream, cover) is not None:
                with keep_thread_priority():
                    target.start_encoding()  # support for some streams shows only when the header is written
                return "unofficially" if chained else "officially"
        except (ValueError, av.FFmpegError):
            continue
        finally:
            discard.closed = True  # so that PyAV writes no trailer
            with contextlib.suppress(ValueError, av.FFmpegError):
                target.close()
    return ""


def begin_copy(
    target: av.container.OutputContainer, kind: str, stream: av.stream.Stream, cover: bytes | None
) -> StreamCopy | None:
    """Add a copy of a stream, still without packets; None if PyAV knows that the container cannot hold it.

    Args:
        target: The file being written.
        kind: Its container.
        stream: Of the source.
        cover: The image, if the stream is a cover.
    """
    if cover is not None and kind == "matroska":
        return StreamCopy(stream, target.add_attachment(*_attachment_name(stream), cover))  # not a second video
    try:
        copy = target.add_stream_from_template(stream, opaque=True)
    except ValueError:
        return None
    copy.metadata.clear()
    copy.metadata.update(stream_tags(stream, kind))
    copy.disposition = stream.disposition
    if kind in ISO and stream.type == "audio":
        _set_channel_layout(copy.codec_context)
    return StreamCopy(stream, copy)


def _set_channel_layout(sound: Any) -> None:
    """Set the channel layout that players assume: MP4 requires one, and plain PCM lacks it."""
    if sound.layout.name.endswith("channels") and sound.layout.nb_channels in _CHANNEL_LAYOUTS:
        sound.layout = _CHANNEL_LAYOUTS[sound.layout.nb_channels]


def file_tags(source: av.container.InputContainer, kind: str) -> dict[str, str]:
    """Returns a file's tags under the names that the container `kind` uses: Matroska has them in capitals."""
    named = {
        key.lower() if kind in ISO and key.lower() in NAMED else key: value for key, value in source.metadata.items()
    }
    return kept_tags(named)


def copy_tags(target: av.container.OutputContainer, kind: str, source: av.container.InputContainer) -> None:
    """Copy the tags of the file."""
    target.metadata.update(file_tags(source, kind))


def shifted_chapters(source: av.container.InputContainer, origin: Fraction) -> list[Any]:
    """Returns the chapters of a file; `origin` is its time, in seconds, that becomes 0."""
    chapters = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        moved = round(origin / base)
        if chapter["end"] > moved:
            chapters.append({**chapter, "start": max(0, chapter["start"] - moved), "end": chapter["end"] - moved})
    return chapters


def earliest_time(video: VideoSource, begin: Fraction, indices: Sequence[int]) -> Fraction:
    """Returns the earliest time, in seconds, of these streams of a video that begins at `begin`."""
    with video.reopen() as source:
        copies = [StreamCopy(source.streams[index], source.streams[index]) for index in indices]
        found = begin
        for packet in copied_packets(video, source, copies, begin, Fraction(0), hides=False) if copies else ():
            if packet_time(packet) > begin + _INTERLEAVING:
                break
            found = min(found, packet_time(packet) + _opus_delay(source.streams[packet.stream_index]))
    return found


def _opus_delay(stream: av.stream.Stream) -> Fraction:
    """How many seconds of Opus before 0 Matroska hides, by its header (RFC 7845, section 5.1)."""
    context = stream.codec_context
    header = (
        bytes(getattr(context, "extradata", None) or b"") if context is not None and context.name == "opus" else b""
    )
    return (
        Fraction(int.from_bytes(header[10:12], "little"), 48_000) + _TICK
        if header.startswith(b"OpusHead")
        else Fraction(0)
    )


def read_covers(video: VideoSource) -> dict[int, bytes]:
    """Returns the cover images of a file, by the indices of their streams."""
    with video.reopen() as source:
        streams = [stream for stream in source.streams if is_cover(stream)]
        found: dict[int, bytes] = {}
        for packet in source.demux(streams) if streams else ():
            found.setdefault(packet.stream_index, bytes(packet))
            if len(found) == len(streams):
                break
    return found


def is_timeless(stream: av.stream.Stream) -> bool:
    """Whether a stream is a cover or an attachment."""
    return stream.type == "attachment" or is_cover(stream)


def _attachment_name(cover: av.stream.Stream) -> tuple[str, str]:
    """The file name and the media type of the attachment that a cover becomes."""
    tags = {key.lower(): value for key, value in cover.metadata.items()}
    codec = cover.codec_context.name if cover.codec_context else "bin"
    ending, kind = ("jpg", "jpeg") if codec == "mjpeg" else (codec, codec)
    return tags.get("filename", f"cover.{ending}"), tags.get("mimetype", f"image/{kind}")


def is_timecode(stream: av.stream.Stream) -> bool:
    """Whether a stream is QuickTime's time code, which is kept as a tag and rebuilt from it."""
    return stream.type == "data" and "timecode" in stream.metadata


def describe_loss(stream: av.stream.Stream, kind: str, cover: bytes | None) -> str:
    """Returns a clause about a stream that the container `kind` cannot hold, with one that can."""
    named = f" {stream.name}" if stream.type == "attachment" and stream.name else ""
    codec = f" as {stream.codec_context.name}" if stream.codec_context else named
    language = f", {stream.language}" if stream.language not in (None, "und") else ""
    holders = {"matroska": "Matroska (.mkv)", "mov": "QuickTime (.mov)", "mp4": "MP4 (.mp4)"}
    cure = next((f"; {name} holds it" for other, name in holders.items() if fits(stream, other, cover)), "")
    what = f"stream {stream.index} ({stream.type}{codec}{language})"
    return f"{what} does not fit into this container and is left out{cure}"


def is_chapters(stream: av.stream.Stream) -> bool:
    """Whether a stream is MP4's way of storing chapters, which are rebuilt as chapters."""
    import av

    return stream.type == "data" and stream.discard == av.stream.Discard.all


def mux_cover(target: av.container.OutputContainer, copy: StreamCopy, data: bytes) -> None:
    """Write a cover as a stream of one packet, as MP4 has them."""
    import av

    packet = av.Packet(data)
    packet.pts = packet.dts = 0
    packet.time_base = Fraction(1, 1000)
    packet.is_keyframe = True
    packet.stream = copy.target
    target.mux(packet)


def copied_packets(
    video: VideoSource,
    source: av.container.InputContainer,
    copies: Sequence[StreamCopy],
    begin: Fraction,
    origin: Fraction,
    *,
    hides: bool,
) -> Iterator[av.Packet[Any]]:
    """Yields the packets of the copied streams that lie in the part read.

    Args:
        video: The video that the streams belong to.
        source: Its file, opened for this.
        copies: The streams to read.
        begin: Where the part begins, in seconds.
        origin: The source's time, in seconds, that becomes 0.
        hides: Whether the result can hide what lies before 0.
    """
    import av

    by_index = {copy.source.index: copy for copy in copies}
    end = None if video.part.duration is None else begin + video.part.duration
    if video.part.start and begin > _INTERLEAVING and not video.continuity.streams:
        source.seek(int((begin - _INTERLEAVING) * 1_000_000))
    try:
        for packet in presented_packets(video.continuity, source, [copy.source for copy in copies], hides=hides):
            if packet.dts is None:
                continue
            copy = by_index[packet.stream_index]
            over = (
                packet_time(packet) + (packet.duration or 0) * packet.time_base <= begin if video.part.start else False
            )
            if over or (end is not None and packet_time(packet) >= end):
                continue
            moved = round(origin / packet.time_base)
            packet.dts -= moved
            if packet.pts is not None:
                packet.pts -= moved
            copy.keep_order(packet)
            packet.stream = copy.target
            yield packet
    except av.FFmpegError:
        return  # a warning was given when the frames were read
