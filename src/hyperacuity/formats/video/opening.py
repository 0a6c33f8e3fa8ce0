"""The beginning of a result: its streams, chapters and tags, and what its container cannot hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hyperacuity.counting import counted
from hyperacuity.errors import BadOutput
from hyperacuity.formats.video import copying
from hyperacuity.formats.video.containers import BROADCAST, MATROSKA, NO_NEGATIVE_TIMES, Discard, open_target
from hyperacuity.formats.video.dispositions import lost_dispositions
from hyperacuity.formats.video.encoder import EncoderTarget
from hyperacuity.formats.video.ffmpeg import error_text, keep_thread_priority
from hyperacuity.formats.video.matroska import (
    Display,
    count_chapters,
    encode_chapters,
    read_chapters,
    reserve,
    shift_chapters,
)
from hyperacuity.formats.video.projection import Projection, add_template_stream
from hyperacuity.formats.video.selecting import is_cover
from hyperacuity.formats.video.source import VideoSource

if TYPE_CHECKING:
    import av


@dataclass
class OpenResult:
    """A file ready for packets, whose covers and attachments are already written.

    Attributes:
        container: The file.
        video: Its stream for the encoded video.
        copies: Its copied streams with times.
        attached: How many covers and attachments it has.
        origin: The source's time, in seconds, that becomes 0.
        losses: A clause for each thing that the container cannot hold.
        chapters: Those that FFmpeg does not write, or not as well; see `matroska.add_chapters`.
        display: How the video is shown, if its pixels are not squares; see `matroska.set_display`.
    """

    container: av.container.OutputContainer
    video: av.VideoStream
    copies: list[copying.StreamCopy]
    attached: int
    origin: Fraction
    losses: list[str] = field(default_factory=list)
    chapters: bytes = b""
    display: Display | None = None


def check_result(kind: str, video: VideoSource, encoder: EncoderTarget, name: str) -> list[str]:
    """Begin a result that is thrown away, to find out before the work what its container cannot hold.

    Args:
        kind: The container, a value of `CONTAINERS`.
        video: The source.
        encoder: The encoder of its video.
        name: The name of the file in errors.

    Returns:
        A clause for each loss.

    Raises:
        BadOutput: If the container cannot be written at all.
    """
    import av

    source = video.reopen() if video.is_container else None
    try:
        begin = begin_time(video, source, video.part.bounds(video.start, video.time_base)[0])
        discard = Discard()
        opened = open_result(discard, kind, video, encoder, source, begin)
        discard.closed = True  # so that PyAV writes no trailer
        opened.container.close()
    except av.FFmpegError as error:
        raise BadOutput(f"{name} cannot be written in this container: {error_text(error)}") from error
    finally:
        if source is not None:
            source.close()
    return opened.losses


def open_result(
    path: Path | Discard,
    kind: str,
    video: VideoSource,
    encoder: EncoderTarget,
    source: av.container.InputContainer | None,
    begin: Fraction,
) -> OpenResult:
    """Begin a file for an encoded video and for all else that its source holds.

    Args:
        path: The file.
        kind: Its container, a value of `CONTAINERS`.
        video: The source.
        encoder: The encoder of its video.
        source: The source's file, opened for this; None if it has no container.
        begin: The time of the source, in seconds, from which streams are copied.
    """
    streams = [one for one in source.streams if not _is_rebuilt(one, video)] if source else []
    covers = copying.read_covers(video) if any(map(is_cover, streams)) else {}
    losses: list[str] = []
    holds = {stream.index: copying.fits(stream, kind, covers.get(stream.index)) for stream in streams}
    chained = "unofficially" in holds.values()
    options, lost = _options(kind, video, source, bool(covers))
    target = open_target(path, kind, options, chained=chained)
    like = next((one for one in source.streams if one.index == video.index), None) if source else None
    encoded = _add_video(target, kind, video, encoder, like, losses)
    display = _reserve_display(encoded, kind, video, encoder)
    losses += lost
    copies: list[copying.StreamCopy] = []
    for stream in streams:
        copy = copying.begin_copy(target, kind, stream, covers.get(stream.index)) if holds[stream.index] else None
        if copy is None:
            losses.append(copying.describe_loss(stream, kind, covers.get(stream.index)))
            continue
        if stream.type == "video" and not is_cover(stream):
            losses.append(f"stream {stream.index} is a second video; it is copied unchanged")
        losses += copying.lost_tags(stream, kind)
        losses += lost_dispositions(stream, kind)
        copies.append(copy)
    timed = [copy for copy in copies if not copying.is_timeless(copy.source)]
    origin = _origin(video, begin, [copy.source.index for copy in timed], kind)
    chapters = b""
    if source is not None:
        copying.copy_tags(target, kind, source)
        known = copying.shifted_chapters(source, origin)
        stored = b""
        if source.format.name.startswith("matroska") and isinstance(video.source, Path):
            stored = read_chapters(video.source)
        if kind in MATROSKA and stored:
            chapters = shift_chapters(stored, origin)
        elif (inner := count_chapters(stored) - len(source.chapters())) > 0:
            losses.append(
                f"{counted(inner, 'chapter')} inside other chapters or in another edition left out; "
                "Matroska (.mkv) holds them"
            )
        if chained and not chapters:
            chapters = encode_chapters(known)
        if not chained:
            target.set_chapters(reserve(chapters) if chapters else known)
    with keep_thread_priority():
        target.start_encoding()
    if origin < begin and not video.part.start:
        losses.append(
            f"everything is {float(begin - origin):.3f} s later than in the source, whose sound begins before 0, which "
            "this container does not allow; video and sound stay together"
        )
    for copy in copies:
        if kind in copying.ISO and is_cover(copy.source):
            copying.mux_cover(target, copy, covers[copy.source.index])
    return OpenResult(target, encoded, timed, len(copies) - len(timed), origin, losses, chapters, display)


def _is_rebuilt(stream: av.stream.Stream, video: VideoSource) -> bool:
    """Whether a stream is not copied, since the muxer makes it anew: the video, chapters, time code."""
    return stream.index == video.index or copying.is_chapters(stream) or copying.is_timecode(stream)


def _options(
    kind: str, video: VideoSource, source: av.container.InputContainer | None, covers: bool
) -> tuple[dict[str, str], list[str]]:
    """Options for FFmpeg's muxer; and what the container cannot hold, a clause each."""
    if kind not in copying.ISO:
        return {"fflags": "+bitexact"}, []  # identifiers that are counted, not drawn by lot
    # MP4's own clock counts milliseconds, to which FFmpeg would round the times at which streams begin.
    options = {"movflags": "+faststart", "movie_timescale": str(video.time_base.denominator)}
    if video.projection is not None:
        options["strict"] = "unofficial"
    further = sorted(set(copying.file_tags(source, kind)) - copying.NAMED) if source else []
    if further and covers:
        return options, [
            f"its tags {', '.join(further)} are left out, which this container cannot hold together with a cover"
        ]
    if further:
        options["movflags"] += "+use_metadata_tags"
    return options, []


def begin_time(video: VideoSource, source: av.container.InputContainer | None, first: int) -> Fraction:
    """Return the time, in seconds, from which streams are copied; `first` is the pts of the first frame."""
    if video.part.start:
        return first * video.time_base
    if source is None or source.format.name not in BROADCAST:
        return Fraction(0)
    ticks = (round(each.first / float(video.time_base)) for each in video.times.others.values())
    return min([video.start, *ticks]) * video.time_base


def _origin(video: VideoSource, begin: Fraction, indices: Sequence[int], kind: str) -> Fraction:
    """The time, in seconds, that becomes 0; `indices` are those of the copied streams."""
    if kind not in NO_NEGATIVE_TIMES or not indices:
        return begin
    return min(begin, _floored(copying.earliest_time(video, begin, indices), video))


def _floored(time: Fraction, video: VideoSource) -> Fraction:
    """Rounded down to the video's time base."""
    return math.floor(time / video.time_base) * video.time_base


def _reserve_display(stream: av.VideoStream, kind: str, video: VideoSource, encoder: EncoderTarget) -> Display | None:
    """How a video whose pixels are not squares is shown; other containers than Matroska take it from FFmpeg."""
    if kind not in MATROSKA or encoder.aspect in (None, 1):
        return None
    assert encoder.aspect is not None
    beside, above = (1, 1) if video.projection is None else video.projection.views
    projection = _scaled_projection(video, encoder)
    left, right, top, bottom = (projection and projection.cropping) or (0, 0, 0, 0)
    width = Fraction(encoder.frame_format.width - left - right, beside)
    height = Fraction(encoder.frame_format.height - top - bottom, above)
    display = Display(round(width * encoder.aspect), round(height), stream.metadata.get("title", ""))
    stream.metadata["title"] = display.reserved
    return display


def _scaled_projection(video: VideoSource, encoder: EncoderTarget) -> Projection | None:
    """How the enlarged frames are to be seen; None if in the ordinary way."""
    made, source = encoder.frame_format, video.frame_format
    return video.projection and video.projection.scaled(made.width / source.width, made.height / source.height)


def _add_video(
    target: av.container.OutputContainer,
    kind: str,
    video: VideoSource,
    encoder: EncoderTarget,
    like: av.stream.Stream | None,
    losses: list[str],
) -> av.VideoStream:
    """Add the stream of the encoded video; `like` is the source's."""
    stream: av.VideoStream
    projection = _scaled_projection(video, encoder)
    # Matroska knows the arrangement of two views by a tag; a stream made from a template loses the shape of its pixels.
    if projection is not None and (kind not in MATROSKA or projection.sphere or projection.cropping):
        stream = add_template_stream(target, encoder, projection)
    else:
        stream = target.add_stream(encoder.codec.encoder, rate=video.rate)  # type: ignore[assignment]
        encoder.configure(stream.codec_context)
    if projection is not None:
        losses += projection.losses(kind)
    stream.time_base = video.time_base
    if encoder.encoding.codec == "h265" and kind in copying.ISO:
        stream.codec_context.codec_tag = "hvc1"  # the tag that Apple's players need
    if video.display_matrix is not None:
        stream.set_display_matrix(video.display_matrix)
    if like is not None:
        tags = copying.stream_tags(like, kind)
        stream.metadata.update({key: value for key, value in tags.items() if key.lower() != "alpha_mode"})
        stream.disposition = like.disposition
        losses += copying.lost_tags(like, kind)
        losses += lost_dispositions(like, kind)
    if encoder.frame_format.alpha and encoder.encoding.codec == "vp9":
        stream.metadata["alpha_mode"] = "1"
    if projection is not None and projection.stereo_mode and kind in MATROSKA:
        stream.metadata["stereo_mode"] = projection.stereo_mode
    return stream
