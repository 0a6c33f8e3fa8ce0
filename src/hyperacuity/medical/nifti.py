"""Enlarges one volume of NIfTI, slice by slice."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

from hyperacuity import values
from hyperacuity.errors import UsageError
from hyperacuity.formats.nifti.sink import NiftiSink, write_record
from hyperacuity.formats.nifti.source import NiftiSource
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import Survey
from hyperacuity.medical import provenance
from hyperacuity.medical.slices import SliceEnlarger, describe, with_survey
from hyperacuity.medical.through_plane import NOTE, Interpolator, check_slices
from hyperacuity.size import Size
from hyperacuity.task import MeasurementOptions, Outcome, Progress, Stop
from hyperacuity.upscaler import Upscaler

# float32 tells integers apart up to this range; networks compute in it.
_EXACT = 1 << 24


def upscale_volume(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: MeasurementOptions,
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge a volume in the plane of its slices; see `run.upscale`."""
    opened = NiftiSource(source, options.plane)
    header = opened.image_header
    before = header.height, header.width
    after = size.resolve(*before)
    across = next(axis for axis in range(3) if axis not in opened.plane)
    depth = opened.shape[across]
    count = check_slices(source, depth, options.through_plane)
    survey = None
    categorical = options.categorical or (header.measured is not None and header.measured.categorical)
    if not categorical:
        survey = _survey(opened, stop)
        categorical = _is_inexact(survey, header.dtype.kind, target)
    header = with_survey(header, survey, categorical=categorical)
    enlarger = SliceEnlarger(upscaler, header, after, consistent=options.consistent)
    content = provenance.record(upscaler, before, after, enlarger.models, survey, consistent=options.consistent)
    if count != depth:
        content |= {"slices_before": depth, "slices_after": count, "between_slices": NOTE}
    between = Interpolator(header, depth, count, survey if not categorical else None)
    with NiftiSink(target, opened, after, json.dumps(content).encode(), depth=count) as sink:
        for number, pixels in enumerate(opened):
            stop.check()
            for result in between.add(enlarger.enlarge(pixels, header)):
                sink.write(result)
            share = (number + 1) / opened.slices
            observe(Progress(share, frame=number, frames=opened.slices, pixels=after[0] * after[1]))
    slope, intercept = opened.scaling
    content = provenance.with_consistency(content, enlarger.found, slope, intercept)
    write_record(target, json.dumps(content, indent=2))
    text = describe(enlarger.found, survey, slope)
    if count != depth:
        text = "; ".join(each for each in (text, f"{depth} -> {count} slices: {NOTE}") if each)
    return Outcome(
        str(source),
        str(target),
        "volume",
        before=before,
        after=after,
        models=enlarger.models,
        frames=opened.slices // depth * count,
        consistency=text,
    )


def _survey(opened: NiftiSource, stop: Stop) -> Survey:
    """The range of all slices.

    Raises:
        UsageError: If no voxel is valid.
    """
    surveyor = values.Surveyor(opened.image_header)
    for pixels in opened:
        stop.check()
        surveyor.add(pixels)
    survey = surveyor.finish()
    if not any(survey.ranges):
        raise UsageError(f"{opened.path}: no voxel is valid, so there is nothing to enlarge")
    return survey


def _is_inexact(survey: Survey, kind: str, target: Path) -> bool:
    """Whether integers span more than a network tells apart; warns of it."""
    spans = [each.most - each.least for each in survey.ranges if each is not None]
    if kind == "f" or max(spans) < _EXACT:
        return False
    message = (
        f"{target.name}: integers span more than {_EXACT}, so they are names rather than intensities and are copied"
    )
    warnings.warn(LossWarning(message), stacklevel=3)
    return True
