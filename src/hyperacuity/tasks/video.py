"""Video tasks: from a file, a folder of frames or a pipe of Y4M to any of these."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from hyperacuity import formats
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.inspection import Inspection, inspect_frames
from hyperacuity.task import Outcome, Progress, Stop, Task, VideoOptions
from hyperacuity.tasks.pipes import peek
from hyperacuity.upscaler import Upscaler

MODEL: str | None = None
_Y4M = b"YUV4MPEG2 "


def accepts(source: Path | IO[bytes]) -> bool:
    """Returns whether a source is a video file, a pattern of frames, or a stream of Y4M."""
    if isinstance(source, Path):
        return formats.is_video_or_frames(source)
    return peek(source, len(_Y4M)) == _Y4M


def inspect(task: Task, source: Path | IO[bytes]) -> tuple[Inspection | None, Path | IO[bytes]]:
    """Measure several frames of a video if the task asks for a choice by name; see `kinds.Kind.inspect`."""
    if task.options.model is None or not isinstance(source, Path):
        return None, source
    from hyperacuity import video

    return inspect_frames(video.sample_frames(source, task.video or VideoOptions())), source


def run(
    task: Task,
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge one video, or write a preview of it; see `kinds.Kind.run`."""
    from hyperacuity import video

    if task.image is not None and task.image.quality is not None:
        raise UsageError("quality is an option of images; videos have crf", Use(quality=LEAVE_OUT))
    if task.image is not None:
        task.image.refuse("this is a video")
    options = task.video or VideoOptions()
    if options.preview:
        if not (isinstance(source, Path) and isinstance(target, Path)):
            raise UsageError("a preview needs a video that is a file, and a name for the image")
        return video.preview(upscaler, source, target, task.size, options, force=task.force)
    return video.upscale(upscaler, source, target, task.size, options, force=task.force, observe=observe, stop=stop)
