"""Hallucination, omission and improvement: whether a result adds true detail, none, or invented detail."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hyperacuity.errors import UsageError
from hyperacuity.metrics.metric import Array, ComparedImages, Metric
from hyperacuity.resize import resize

# Where the three images differ by less, in grey levels of 255, there is no detail to judge.
_VISIBLE = 4.0


class Shares(NamedTuple):
    """The shares of the judged pixels; they sum to 1, or all are NaN where no pixel is judged."""

    hallucination: float
    omission: float
    improvement: float


def invention(result: Array, truth: Array, lr: Array) -> Shares:
    """Judge for each pixel whether its detail is true, missing or invented.

    Three distances are compared: from the result to the truth, from the result to the bicubic enlargement of its input,
    and between these two. Each is the mean absolute difference over one pixel of the input, the least one over shifts
    by up to one pixel of the input, so that detail counts as true if it is slightly displaced. A pixel is judged if one
    of the three distances is visible (4 grey levels):

    - hallucination: the result is farther from the truth and from the bicubic image than they are from each other;
    - improvement: else, if it is nearer to the truth than to the bicubic image;
    - omission: else.

    Args:
        result: (H, W) or (H, W, C) on 0 to 255.
        truth: Of the same shape.
        lr: The input, (h, w) or (h, w, C) with H = s * h for a whole scale s.

    Raises:
        UsageError: If the shapes differ or the scale is not whole.

    Source: After the idea of Aybar et al.: "A Comprehensive Benchmark for Optical Remote Sensing Image
        Super-Resolution" (opensr-test), IEEE GRSL 21, 2024, section III, which weighs such distances between the
        reflectances of satellites; here with classes and a spatial tolerance for photographs.

    Example:
        >>> truth = np.zeros((16, 16)); truth[::2] = 255
        >>> invention(truth, truth, np.full((8, 8), 127.5)).improvement
        1.0
    """
    scale = truth.shape[0] // lr.shape[0]
    if result.shape != truth.shape or truth.shape[:2] != (lr.shape[0] * scale, lr.shape[1] * scale):
        raise UsageError(f"images of shapes {result.shape}, {truth.shape} and {lr.shape} cannot be compared")
    made, true = (np.asarray(image, np.float32) for image in (result, truth))
    plain = resize(np.asarray(lr, np.float32), size=(truth.shape[0], truth.shape[1]))
    to_truth, to_plain, between = (_distance(a, b, scale) for a, b in ((made, true), (made, plain), (true, plain)))
    judged = np.maximum(np.maximum(to_truth, to_plain), between) >= _VISIBLE
    if not judged.any():
        return Shares(np.nan, np.nan, np.nan)
    invented = judged & (between < np.minimum(to_truth, to_plain))
    improved = judged & ~invented & (to_truth < to_plain)
    counts = [int(mask.sum()) for mask in (invented, judged & ~invented & ~improved, improved)]
    return Shares(*(count / sum(counts) for count in counts))


def _distance(a: Array, b: Array, scale: int) -> Array:
    """The least mean absolute difference of two images near each pixel, over shifts of `b`."""
    least: Array = np.minimum.reduce([_mean(np.abs(a - moved), scale) for moved in _shifted(b, scale)])
    return least


def _shifted(image: Array, scale: int) -> Iterator[Array]:
    steps = sorted({0, *range(-scale, scale + 1, max(1, scale // 2))})
    padded = np.pad(image, [(scale, scale), (scale, scale)] + [(0, 0)] * (image.ndim - 2), mode="edge")
    height, width = image.shape[:2]
    for down in steps:
        for right in steps:
            yield padded[scale + down :, scale + right :][:height, :width]


def _mean(difference: Array, side: int) -> Array:
    """The mean over `side` x `side` pixels around each pixel, and over channels."""
    plane = difference if difference.ndim == 2 else difference.mean(-1)
    before = side // 2
    padded = np.pad(plane, ((before + 1, side - 1 - before),) * 2, mode="edge").astype(np.float64)
    padded[0] = padded[:, 0] = 0
    sums = padded.cumsum(0).cumsum(1)
    total: Array = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return total / side**2


@functools.lru_cache(1)  # the three metrics of an image are measured one after the other
def _measure(images: ComparedImages) -> Shares:
    return invention(images.result, images.truth, images.lr)


_STATEMENT = (
    "hallucination, omission and improvement are shares of the pixels with visible detail: invented, missing and true; "
    "see docs/metrics.md"
)

HALLUCINATION = Metric(
    "hallucination",
    "Hallucination",
    higher_is_better=False,
    digits=3,
    measure=lambda images: _measure(images).hallucination,
    statement=_STATEMENT,
    cuts_border=False,
)
OMISSION = Metric(
    "omission",
    "Omission",
    higher_is_better=False,
    digits=3,
    measure=lambda images: _measure(images).omission,
    cuts_border=False,
)
IMPROVEMENT = Metric(
    "improvement",
    "Improvement",
    higher_is_better=True,
    digits=3,
    measure=lambda images: _measure(images).improvement,
    cuts_border=False,
)
