"""Enlarges one raster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperacuity import values
from hyperacuity.errors import UsageError
from hyperacuity.formats.raster.dependency import gdal
from hyperacuity.formats.raster.sink import RasterSink
from hyperacuity.formats.raster.source import RasterSource
from hyperacuity.image import Strips, Survey
from hyperacuity.pipeline.box_consistency import Consistency, measure, project
from hyperacuity.raster.provenance import provenance, summary
from hyperacuity.size import Size
from hyperacuity.storage import may_write
from hyperacuity.task import MeasurementOptions, Outcome, Progress, Stop
from hyperacuity.upscaler import Upscaler
from hyperacuity.zoo import refuse_generative


def upscale(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: MeasurementOptions | None = None,
    *,
    force: bool = False,
    observe: Callable[[Progress], None] = lambda progress: None,
    stop: Stop | None = None,
) -> Outcome:
    """Enlarge a raster into a GeoTIFF with the same extent, type, bands, meaning and no-data pixels.

    The values are read up to four times, a few rows at a time: for their range, for the network, and to compare the
    result with them.

    Args:
        upscaler: The model. Each band goes through it by itself.
        source: A GeoTIFF, or another local raster (see `formats.raster.recognition`).
        target: The GeoTIFF to write.
        size: The size of the result.
        options: How it is enlarged and written.
        force: Overwrite a target that exists.
        observe: Called after each block of rows.
        stop: Checked before each block of rows.

    Returns:
        The outcome, with the consistency of the result with its source.

    Raises:
        MissingDependency: If rasterio is not installed.
        UsageError: If the request cannot be met, the model invents detail, or no pixel is valid.
        UnsupportedFormat, DamagedFile: If the source cannot be read.
        Stopped: `stop` was set; no file is left.
    """
    options, stop = options or MeasurementOptions(), stop or Stop()
    may_write(target, source, force=force)
    refuse_generative(upscaler.family[0].card, "measurements", allowed=options.allow_generative)
    with gdal():
        opened = RasterSource(source)
        strips = opened.strips(categorical=options.categorical)
        before = opened.height, opened.width
        after = size.resolve(*before)
        strips, survey = surveyed(strips, source, stop)
        result, models = enlarged(upscaler, strips, after)
        comparable = survey is not None and after[0] >= before[0] and after[1] >= before[1]
        if comparable and options.consistent and after != before:
            result = project(result, strips, values.find_valid)
        found = Consistency.of_bands(strips.header.colours)
        if comparable:
            result = measure(result, strips, values.find_valid, found)
        nearest = survey is None
        with RasterSink(target, opened, *after, cog=options.cog, nearest=nearest) as sink:
            sink.write(_observed(result, observe, stop))
            text = summary(found, survey, opened.description) if comparable and survey is not None else ""
            sink.state(provenance(upscaler, opened, after, models, options, survey, found if comparable else None))
    return Outcome(
        str(source), str(target), "raster", before=before, after=after, models=models, frames=1, consistency=text
    )


def surveyed(strips: Strips, path: Path, stop: Stop) -> tuple[Strips, Survey | None]:
    """Return the image with the ranges of its bands, and these; None for classes, which have none.

    Raises:
        UsageError: If no pixel is valid.
    """
    measured = strips.header.measured
    assert measured is not None
    if measured.categorical:
        return strips, None
    surveyor = values.Surveyor(strips.header)
    for rows in strips.rows:
        stop.check()
        surveyor.add(rows)
    survey = surveyor.finish()
    if all(each is None for each in survey.ranges):
        raise UsageError(f"{path}: no pixel is valid, so there is nothing to enlarge")
    header = replace(strips.header, measured=replace(measured, survey=survey))
    return Strips(header, strips.rows), survey


def enlarged(upscaler: Upscaler, strips: Strips, after: tuple[int, int]) -> tuple[Strips, tuple[str, ...]]:
    """Return the rows of the result, and the names of what enlarges them."""
    before = strips.header.height, strips.header.width
    result = upscaler.pipeline(before, after).stream(strips, *after)
    measured = strips.header.measured
    nearest = measured is not None and measured.categorical
    return result, ("nearest",) if nearest and before != after else upscaler.names(before, after)


def _observed(strips: Strips, observe: Callable[[Progress], None], stop: Stop) -> Strips:
    """The same rows; reports progress and checks `stop` between them."""

    def rows() -> Iterator[Any]:
        done = 0
        for block in strips.rows:
            stop.check()
            yield block
            done += len(block)
            observe(Progress(done / strips.header.height, pixels=len(block) * strips.header.width))

    return Strips(strips.header, rows())
