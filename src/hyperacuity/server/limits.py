"""What a source may be, checked before it is decoded: sizes, frames, lengths, and the pixels of its result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperacuity import formats
from hyperacuity.counting import counted
from hyperacuity.errors import UnsupportedFormat, UsageError
from hyperacuity.task import Task
from hyperacuity.tasks.kinds import find_kind


def check_source(source: Path, task: Task, limits: Mapping[str, Any]) -> str:
    """Check a source by its headers.

    Args:
        source: The file.
        task: The request, for the size of the result.
        limits: The values of `ServerOptions.of_sources`.

    Returns:
        The kind of the task.

    Raises:
        UsageError: A limit is exceeded; the message has the number and the limit.
        HyperacuityError: The file cannot be read.
    """
    kind = find_kind(source)
    if kind == "video":
        _check_video(source, task, limits)
    else:
        _check_image(source, task, limits)
    return kind


def _check_image(source: Path, task: Task, limits: Mapping[str, Any]) -> None:
    size = _header_size(source)
    if size is not None:
        _check_pixels(size, task, limits, "pixels")
    with formats.read(source) as opened:
        frames = opened.frames
    if frames > limits["max_frames"]:
        raise UsageError(f"it has {counted(frames, 'frame')}; this server takes {limits['max_frames']}")


def _header_size(source: Path) -> tuple[int, int] | None:
    """(height, width) by the header alone; None for what Pillow cannot read: then the format's own limit holds."""
    from hyperacuity.formats.photo import pillow

    return pillow.read_header(source, lambda image: (image.height, image.width))


def _check_video(source: Path, task: Task, limits: Mapping[str, Any]) -> None:
    import av

    try:
        with av.open(str(source), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise UnsupportedFormat("it has no video")
            stream = container.streams.video[0]
            width, height = stream.width, stream.height
            seconds = float(container.duration or 0) / av.time_base
    except av.error.FFmpegError as error:
        raise UnsupportedFormat(f"it cannot be read as a video: {error.strerror}") from error
    most = limits["max_video_width"], limits["max_video_height"]
    if width > most[0] or height > most[1]:
        raise UsageError(f"its frames have {width} x {height} pixels; this server takes {most[0]} x {most[1]}")
    if seconds > limits["max_video_seconds"]:
        raise UsageError(f"it is {seconds:.0f} seconds long; this server takes {limits['max_video_seconds']:.0f}")
    _check_pixels((height, width), task, limits, "pixels a frame")


def _check_pixels(size: tuple[int, int], task: Task, limits: Mapping[str, Any], unit: str) -> None:
    before = size[0] * size[1]
    if before > limits["max_input_pixels"]:
        raise UsageError(f"it has {before:,} {unit}; this server takes {limits['max_input_pixels']:,}")
    height, width = task.size.resolve(*size)
    if height * width > limits["max_output_pixels"]:
        raise UsageError(
            f"the result would have {height * width:,} {unit}; this server makes {limits['max_output_pixels']:,}"
        )
