"""Videos: a file, a folder of frames or a pipe of Y4M in, the same out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hyperacuity.api import Upscaler
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.task import Outcome, Progress, Stop, Task, VideoOptions
from hyperacuity.tasks.pipes import peek

if TYPE_CHECKING:
    from hyperacuity import video

_Y4M = b"YUV4MPEG2 "


def accepts(source: Path | IO[bytes]) -> bool:
    """Returns whether a file is a video, a name is a pattern of frames, or a stream is Y4M."""
    return _is_video(source) if isinstance(source, Path) else peek(source, len(_Y4M)) == _Y4M


def run(
    task: Task,
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge one video, or write a preview of it; see `kinds.Kind.run`."""
    if task.image is not None and task.image.quality is not None:
        raise UsageError("quality is an option of images, videos have crf", Use(quality=LEAVE_OUT))
    options = task.video or VideoOptions()
    if options.preview:
        if not (isinstance(source, Path) and isinstance(target, Path)):
            raise UsageError("a preview needs a video that is a file, and a name for the image")
        return _preview(upscaler, source, target, task, options)
    return _upscale(upscaler, source, target, task, options, observe, stop)


# ---- ADAPTER, to be deleted when `video` takes `VideoOptions`, `observe` and `stop`: `_is_video` is then
# `video.is_video`, `_preview` is `video.preview(upscaler, source, target, task.size, options, force=task.force)`, and
# `_upscale` is `video.upscale(..., options, force=task.force, observe=observe, stop=stop)`.


def _is_video(path: Path) -> bool:
    from hyperacuity import formats
    from hyperacuity.formats.video.reading import is_pattern

    return is_pattern(path) or formats.is_video(path)


def _preview(upscaler: Upscaler, source: Path, target: Path, task: Task, options: VideoOptions) -> Outcome:
    from hyperacuity import video

    return _outcome(task, video.preview(upscaler, source, target, task.size, _settings(options), force=task.force))


def _upscale(
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    task: Task,
    options: VideoOptions,
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    from hyperacuity import video

    def watch(progress: video.Progress) -> None:
        stop.check()
        frames = max(1, progress.frames)
        observe(Progress(progress.done / frames, progress.resumed / frames, progress.done, progress.frames))

    report = video.upscale(upscaler, source, target, task.size, _settings(options), force=task.force, watch=watch)
    return _outcome(task, report)


def _settings(options: VideoOptions) -> video.Settings:
    from fractions import Fraction

    from hyperacuity import video

    duration = None if options.duration is None else Fraction(options.duration)
    return video.Settings(
        video.Encoding(options.codec, options.crf, options.preset, options.encoder),
        video.Part(Fraction(options.start or 0), duration),
        None if options.fps is None else Fraction(options.fps),
        options.deinterlace,
        options.strict,
    )


def _outcome(task: Task, report: video.Report) -> Outcome:
    return Outcome(
        task.source,
        task.target,
        "video",
        before=report.before,
        after=report.after,
        models=report.models,
        frames=report.frames,
        resumed=report.resumed,
        damaged=report.damaged,
        unchanged=report.reused,
    )
