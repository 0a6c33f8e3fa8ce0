"""Segments of a video, made on their own: any machine can make any of them, in any order."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hyperacuity.errors import HyperacuityError
from hyperacuity.formats.video.frames import PlanarFrame
from hyperacuity.formats.video.indexing import index_frames
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import PtsRange
from hyperacuity.size import Size
from hyperacuity.storage import storing
from hyperacuity.task import Outcome, Progress, Record, Stop, VideoOptions
from hyperacuity.upscaler import Upscaler
from hyperacuity.video.animations import AnimationSource
from hyperacuity.video.concurrency import read_ahead
from hyperacuity.video.enlarging import Enlarger
from hyperacuity.video.options import open_source, parse_encoding, pixel_aspect, stored_size
from hyperacuity.video.outputs import output_type
from hyperacuity.video.outputs.encoded import EncodedOutput
from hyperacuity.video.segments import SEGMENT_FRAMES, OpenSegment, segment_times


@dataclass(frozen=True)
class SegmentPlace(Record):
    """The place of a segment in its video.

    Attributes:
        number: From 0 on.
        first: The pts of its first frame.
        end: The pts of the first frame after it; None for the last segment.
        times: A digest of the pts of all its frames.
    """

    number: int
    first: int
    end: int | None
    times: str


def plan_segments(source: Path, target: Path, options: VideoOptions | None = None) -> list[SegmentPlace] | str:
    """Divide a video into segments.

    Args:
        source: The file.
        target: The name of the result.
        options: How the video is read and encoded.

    Returns:
        The segments; or a clause with the reason why the video must be made in one piece. "" if it is too short.

    Raises:
        HyperacuityError: The video cannot be read.
    """
    options = options or VideoOptions()
    if options.preview:
        return "only a preview is requested"
    if output_type(target) is not EncodedOutput:
        return "its result is not one encoded file"
    video = open_source(source, options)
    if isinstance(video, AnimationSource):
        return "it is an animated image"
    shown = index_frames(video)
    if isinstance(shown, str):
        return shown
    if len(shown) <= SEGMENT_FRAMES:
        return ""
    places = []
    for number, first in enumerate(range(0, len(shown), SEGMENT_FRAMES)):
        end = first + SEGMENT_FRAMES
        times = digest_times(shown[first:end])
        places.append(SegmentPlace(number, shown[first], shown[end] if end < len(shown) else None, times))
    return places


def digest_times(times: Sequence[int]) -> str:
    """Returns a digest of time stamps."""
    return hashlib.sha256(" ".join(map(str, times)).encode()).hexdigest()[:16]


def upscale_segment(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: VideoOptions | None,
    place: SegmentPlace,
    path: Path,
    *,
    observe: Callable[[Progress], None] = lambda progress: None,
    stop: Stop | None = None,
) -> Outcome:
    """Make one segment of a video, with the packets that `upscale` makes for these frames.

    Decoding begins at the key frame before the segment. If its frames are not those that its packets promised, or if
    one is damaged, it is made again by decoding from the beginning.

    Args:
        upscaler: The model.
        source: The video.
        target: The name of the whole result; it is not written.
        size: Of the result as displayed.
        options: How the video is read and encoded.
        place: Which segment.
        path: The file to write.
        observe: Called after each frame.
        stop: Checked at each frame.

    Returns:
        The outcome, for the frames of this segment.

    Raises:
        Stopped: `stop` was set.
        HyperacuityError: As `upscale` does.
    """
    options, stop = options or VideoOptions(), stop or Stop()
    # Reading begins at the key frame before a part that does not begin at 0.
    part = PtsRange(Fraction(int(place.number > 0)), first=place.first, end=place.end)
    try:
        outcome = _make(upscaler, open_source(source, options, part), target, size, options, path, None, observe, stop)
        faithful = outcome.damaged == 0 and digest_times(segment_times(path)) == place.times
    except HyperacuityError:
        faithful = False  # decoding from the beginning shows whether the video itself is to blame
    if not faithful:
        video = open_source(source, options)
        outcome = _make(upscaler, video, target, size, options, path, place.number, observe, stop)
    return outcome


def _make(
    upscaler: Upscaler,
    video: VideoSource,
    target: Path,
    size: Size,
    options: VideoOptions,
    path: Path,
    number: int | None,
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Write the frames of a video as one segment: all of a part's, or those of segment `number` of a whole video."""
    before, after = (video.frame_format.height, video.frame_format.width), stored_size(video, size)
    output = EncodedOutput(target, video, after, pixel_aspect(video, size, after), parse_encoding(options))
    enlarger = Enlarger(upscaler, video.frame_format, after, output.frame_format)
    more = False

    def wanted(frames: Iterator[PlanarFrame]) -> Iterator[PlanarFrame]:
        nonlocal more
        begin = SEGMENT_FRAMES * (number or 0)
        count = SEGMENT_FRAMES if number is not None else None
        for each in itertools.islice(frames, begin, None if count is None else begin + count):
            stop.check()
            yield each
        more = next(frames, None) is not None if number is not None else video.part.end is not None  # type: ignore[attr-defined]

    with storing(path):
        writer = output.open_segment(OpenSegment(path))
        try:
            with read_ahead(video) as frames, closing(enlarger.stream(wanted(iter(frames)))) as results:
                for frame in results:
                    writer.write(frame)
                    observe(
                        Progress(min(1.0, writer.frames / SEGMENT_FRAMES), frame=writer.frames, frames=SEGMENT_FRAMES)
                    )
                    stop.check()
            summary = writer.finish(last=not more)
        except BaseException:
            writer.discard()
            raise
    return Outcome(
        str(video.source),
        str(target),
        "video",
        before=before,
        after=after,
        models=upscaler.names(before, after),
        frames=summary.frames,
        damaged=summary.damaged,
        unchanged=summary.saved / summary.total if summary.total else 0.0,
    )
