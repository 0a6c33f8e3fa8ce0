"""Tasks of medical images: a volume of NIfTI, a file of DICOM, or a folder with series of slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from hyperacuity import medical
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.inspection import Inspection
from hyperacuity.task import MeasurementOptions, Outcome, Progress, Stop, Task, VideoOptions
from hyperacuity.upscaler import Upscaler

# 0.3 dB below the default of images on slices reduced by bicubic, equal where a detector averages; five times as fast.
MODEL: str | None = "acute-10k"


def accepts(source: Path | IO[bytes]) -> bool:
    """Returns whether a source is a medical image. Streams are other images: formats of slices need files."""
    return isinstance(source, Path) and source.exists() and medical.accepts(source)


def inspect(task: Task, source: Path | IO[bytes]) -> tuple[Inspection | None, Path | IO[bytes]]:
    """Measure nothing: medical images get the default model of their kind; see `kinds.Kind.inspect`."""
    return None, source


def run(
    task: Task,
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge one medical image; see `kinds.Kind.run`."""
    if not (isinstance(source, Path) and isinstance(target, Path)):
        raise UsageError("a medical image is written into a file, and not into a pipe", Use(output="larger.nii.gz"))
    if task.image is not None and task.image.quality is not None:
        raise UsageError("quality is an option of images; measured values are stored exactly", Use(quality=LEAVE_OUT))
    if task.image is not None:
        task.image.refuse("this is a medical image")
    videos = task.video or VideoOptions()
    if replace(videos, strict=False, preview=False) != VideoOptions():
        names = dict.fromkeys(videos.to_json(), LEAVE_OUT)
        raise UsageError("this is a medical image, but options for videos are given", Use(**names))
    options = task.measurement or MeasurementOptions()
    if videos.preview:
        return medical.preview(upscaler, source, target, task.size, options, force=task.force)
    return medical.upscale(upscaler, source, target, task.size, options, force=task.force, observe=observe, stop=stop)
