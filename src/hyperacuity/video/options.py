"""Converts `task.VideoOptions`, which are plain data, to the types of `formats.video`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import IO

from hyperacuity import formats
from hyperacuity.errors import UsageError
from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import Part
from hyperacuity.size import Size
from hyperacuity.task import VideoOptions


def parse_encoding(options: VideoOptions) -> Encoding:
    """Returns the encoding that the options request."""
    return Encoding(options.codec, options.crf, options.preset, options.encoder)


def parse_part(options: VideoOptions) -> Part:
    """Returns the part of the video that the options request.

    Raises:
        UsageError: For times that are not numbers, or not in range.
    """
    start = Fraction(0) if options.start is None else _fraction("start", options.start)
    return Part(start, None if options.duration is None else _fraction("duration", options.duration))


def open_source(source: Path | IO[bytes], options: VideoOptions, part: Part | None = None) -> VideoSource:
    """Open the video to upscale, or a `part` of it other than the one in the options.

    Raises:
        UsageError: For invalid options; also everything that `VideoSource` raises.
    """
    rate = None if options.fps is None else _fraction("fps", options.fps)
    if rate is not None and rate <= 0:
        raise UsageError(f"fps {options.fps} must be positive")
    part = parse_part(options) if part is None else part
    if (
        isinstance(source, Path)
        and rate is None
        and not formats.is_video_or_frames(source)
        and formats.is_animation(source)
    ):
        from hyperacuity.video.animations import AnimationSource

        return AnimationSource(source, part=part, strict=options.strict)
    return VideoSource(source, part=part, rate=rate, deinterlace=options.deinterlace, strict=options.strict)


def stored_size(video: VideoSource, size: Size) -> tuple[int, int]:
    """Returns the (height, width) of the result as stored; `size` is the size as displayed."""
    height, width = video.frame_format.height, video.frame_format.width
    return size.resolve(width, height)[::-1] if video.swaps_sides else size.resolve(height, width)


def pixel_aspect(video: VideoSource, size: Size, stored: tuple[int, int]) -> Fraction | None:
    """Returns width divided by height of the result's pixels; None if unspecified.

    If both sides are given, the frame keeps its displayed shape and the pixel aspect ratio changes.

    Args:
        video: The source.
        size: The requested size.
        stored: The (height, width) of the result.
    """
    if size.width is None or size.height is None or size.fit:
        return video.aspect
    before = (video.aspect or 1) * Fraction(video.frame_format.width, video.frame_format.height)
    return before / Fraction(stored[1], stored[0])


def _fraction(name: str, text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{name} {text!r} is not a number, such as 25, 0.5 or 30000/1001") from error
