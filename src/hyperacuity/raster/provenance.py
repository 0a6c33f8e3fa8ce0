"""How a result was made and how near it is to its source: as tags inside the file, and in a sentence."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import hyperacuity
from hyperacuity.formats.raster.description import Description
from hyperacuity.formats.raster.source import RasterSource
from hyperacuity.image import Survey
from hyperacuity.pipeline.box_consistency import Consistency
from hyperacuity.task import MeasurementOptions
from hyperacuity.upscaler import Upscaler

NOT_A_MEASUREMENT = "an estimate from the source by a model of images; not a measurement at the size of its pixels"


def provenance(
    upscaler: Upscaler,
    source: RasterSource,
    after: tuple[int, int],
    models: tuple[str, ...],
    options: MeasurementOptions,
    survey: Survey | None,
    found: Consistency | None,
) -> dict[str, str]:
    """Return the tags of a result; lists have one entry for each band.

    Args:
        upscaler: The model.
        source: The raster that was enlarged.
        after: (height, width) of the result.
        models: What enlarged it.
        options: Those of the task.
        survey: The ranges of the bands.
        found: How near the result is to the source.
    """
    tags = {
        "SOFTWARE": f"Hyperacuity {hyperacuity.__version__}",
        "MODELS": ", ".join(models) or "same size",
        "WEIGHTS_SHA256": ", ".join(_hashes(upscaler, (source.height, source.width), after, models)),
        "SOURCE_SIZE": f"{source.width}x{source.height}",
        "SCALE_X": repr(after[1] / source.width),
        "SCALE_Y": repr(after[0] / source.height),
        "MEANING": NOT_A_MEASUREMENT,
    }
    if survey is not None:
        tags["RANGE_LOW"] = _listed(None if each is None else each.low for each in survey.ranges)
        tags["RANGE_HIGH"] = _listed(None if each is None else each.high for each in survey.ranges)
        tags["LEAST"] = _listed(None if each is None else each.least for each in survey.ranges)
        tags["MOST"] = _listed(None if each is None else each.most for each in survey.ranges)
        tags["INVALID_VALUES"] = str(survey.invalid)
    if found is not None:
        before, result = found.means
        tags["MEAN_BEFORE"], tags["MEAN_AFTER"] = _listed(before), _listed(result)
        tags["CONSISTENCY"] = "box mean of the result minus the source, in stored values"
        tags["CONSISTENCY_RMS"], tags["CONSISTENCY_MAX"] = _listed(found.rms), _listed(found.most)
        tags["POINT_SPREAD"] = "box" if options.consistent else "none assumed"
    return {name: value for name, value in tags.items() if value}


def summary(found: Consistency, survey: Survey, description: Description) -> str:
    """Return the consistency of the worst band in words.

    Args:
        found: How near the result is to the source.
        survey: The ranges of the bands.
        description: The units.
    """
    spans = np.array(
        [np.nan if each is None or each.high == each.low else each.high - each.low for each in survey.ranges]
    )
    shares = np.where(np.isnan(spans), 0, found.rms / spans)
    band = int(np.nanargmax(np.nan_to_num(shares)))
    factor = abs(description.scales[band])
    unit = f" {description.units[band]}" if description.units[band] else ""
    of = f"band {band + 1}: " if len(spans) > 1 else ""
    share = f" ({shares[band]:.2%} of its range)" if spans[band] > 0 else ""
    return (
        f"box mean against the input, {of}rms {found.rms[band] * factor:.3g}{unit}{share}, "
        f"max {found.most[band] * factor:.3g}{unit}"
    )


def _listed(figures: Iterable[float | None]) -> str:
    return " ".join("none" if figure is None or math.isnan(figure) else f"{float(figure):.9g}" for figure in figures)


def _hashes(
    upscaler: Upscaler, before: tuple[int, int], after: tuple[int, int], models: tuple[str, ...]
) -> Iterable[str]:
    if "nearest" in models:
        return
    for step in upscaler.chain(before, after):
        if step.model.safetensors is not None:
            yield _hash(step.model.safetensors)


@functools.cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
