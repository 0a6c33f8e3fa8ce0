"""Raster tasks: from a georeferenced raster, such as a satellite scene, to a GeoTIFF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from hyperacuity.formats.raster import accepts as is_raster
from hyperacuity.inspection import Inspection
from hyperacuity.task import Outcome, Progress, Stop, Task
from hyperacuity.tasks.measurements import check_request
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
    from hyperacuity import raster

    request = check_request(task, source, target, "raster")
    work = request.source, request.target, task.size
    if request.preview:
        return raster.preview(upscaler, *work, request.options, force=task.force)
    return raster.upscale(upscaler, *work, request.options, force=task.force, observe=observe, stop=stop)
