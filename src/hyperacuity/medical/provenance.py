"""How a result was made, as data for the files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hyperacuity
from hyperacuity.image import Survey
from hyperacuity.pipeline.box_consistency import Consistency
from hyperacuity.upscaler import Upscaler

NOT_FOR_DIAGNOSIS = "Not for diagnosis: an estimate by a model of images, without new measurements."


def hashes(upscaler: Upscaler, before: tuple[int, int], after: tuple[int, int]) -> list[str]:
    """Return the SHA-256 of the weights of each model that enlarges (height, width) `before` to `after`."""
    found = [step.model.safetensors for step in upscaler.chain(before, after)]
    return [_hash(path) for path in found if path is not None]


@functools.cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record(
    upscaler: Upscaler,
    before: tuple[int, int],
    after: tuple[int, int],
    models: Sequence[str],
    survey: Survey | None,
    *,
    consistent: bool,
) -> dict[str, Any]:
    """Return how slices are enlarged.

    Args:
        upscaler: The model.
        before: (height, width) of the slices.
        after: (height, width) of the results.
        models: What enlarges them.
        survey: The ranges of all slices, in the values that it was made of.
        consistent: Whether box means are made equal.
    """
    content: dict[str, Any] = {
        "software": f"Hyperacuity {hyperacuity.__version__}",
        "note": NOT_FOR_DIAGNOSIS,
        "models": list(models) or ["same size"],
        "weights_sha256": [] if "nearest" in models else hashes(upscaler, before, after),
        "size_before": before[::-1],
        "size_after": after[::-1],
        "scale": [after[1] / before[1], after[0] / before[0]],
        "point_spread": "box" if consistent else None,
    }
    if survey is not None:
        content["ranges"] = [None if each is None else [each.low, each.high] for each in survey.ranges]
        content["invalid_values"] = survey.invalid
    return content


def with_consistency(
    content: dict[str, Any], found: Consistency, slope: float = 1.0, shift: float = 0.0
) -> dict[str, Any]:
    """Return the record with how near the results are, in real values; unchanged if nothing was compared."""
    if not found.count.any():
        return content
    before, after = found.means
    return content | {
        "consistency_rms": [float(each * abs(slope)) for each in found.rms],
        "consistency_max": [float(each * abs(slope)) for each in found.most],
        "mean_before": [float(each * slope + shift) for each in before],
        "mean_after": [float(each * slope + shift) for each in after],
    }
