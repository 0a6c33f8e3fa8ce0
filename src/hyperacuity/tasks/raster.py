"""Raster tasks: from a georeferenced raster, such as a satellite scene, to a GeoTIFF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from hyperacuity import raster
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.raster.recognition import accepts as is_raster
from hyperacuity.inspection import Inspection
from hyperacuity.task import MeasurementOptions, Outcome, Progress, Stop, Task, VideoOptions
from hyperacuity.upscaler import Upscaler

# 0.1 dB below the default of images on satellite bands, equal or better if a detector averages; five times as fast.
MODEL: str | None = "acute-10k"


def accepts(source: Path | IO[bytes]) -> bool:
    """Returns whether a source is a raster file. Streams are images: GDAL needs files."""
    return isinstance(source, Path) and source.is_file() and is_raster(source)


def inspect(task: Task, source: Path | IO[bytes]) -> tuple[Inspection | None, Path | IO[bytes]]:
    """Measure nothing: rasters get the default model of their kind; see `kinds.Kind.inspect`."""
    return None, source


def run(
    task: Task,
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge one raster, or write a preview of it; see `kinds.Kind.run`."""
    if not (isinstance(source, Path) and isinstance(target, Path)):
        raise UsageError("a raster is written into a file, and not into a pipe", Use(output="larger.tif"))
    if task.image is not None and task.image.quality is not None:
        raise UsageError(
            "quality is an option of images; values of a raster are stored exactly", Use(quality=LEAVE_OUT)
        )
    if task.image is not None:
        task.image.refuse("this is a raster")
    options, videos = task.measurement or MeasurementOptions(), task.video or VideoOptions()
    if replace(videos, strict=False, preview=False) != VideoOptions():
        names = dict.fromkeys(videos.to_json(), LEAVE_OUT)
        raise UsageError("this is a raster, but options for videos are given", Use(**names))
    if videos.preview:
        return raster.preview(upscaler, source, target, task.size, options, force=task.force)
    return raster.upscale(upscaler, source, target, task.size, options, force=task.force, observe=observe, stop=stop)
