"""MS-SSIM: structural similarity at five scales."""

from __future__ import annotations

import numpy as np

from hyperacuity.errors import UsageError
from hyperacuity.metrics.metric import Array, ComparedImages, Metric, cut_border
from hyperacuity.metrics.ssim import similarity_maps

_SHORTEST_SIDE = 176  # 11 pixels at the coarsest scale
# From the finest scale to the coarsest: section 3.2 of the paper.
_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(result: Array, truth: Array, *, border: int, peak: float) -> float:
    """Structural similarity at five scales, as the authors' MATLAB code computes it; 1 for equal images.

    Each scale has the window and constants of `ssim`. The finer four give the mean of contrast and structure, the
    coarsest the mean of SSIM itself; each mean is raised to the power of its scale, and all are multiplied. The next
    scale holds the means of 2 x 2 pixels; an odd side repeats its last row or column. A negative mean counts as 0,
    since its power is not real. The mean over channels.

    Args:
        result: (H, W) or (H, W, C); sides of 176 pixels or more inside the border.
        truth: Of the same shape and range.
        border: Pixels to ignore on each side.
        peak: The value of white, such as 255.

    Raises:
        UsageError: If the shapes differ or the images are too small.

    Source: Wang, Simoncelli, Bovik: "Multi-scale structural similarity for image quality assessment", Asilomar 2003,
        section 3.
    """
    result, truth = cut_border(result, truth, border)
    if min(result.shape[:2]) < _SHORTEST_SIDE:
        raise UsageError(
            f"MS-SSIM needs 176 x 176 pixels or more after cutting the border; got {result.shape[:2]}: measure SSIM"
        )
    *finer, coarsest = _POWERS
    similarity = np.ones(result.shape[2:])
    for power in finer:
        _, structure = similarity_maps(result, truth, peak)
        similarity = similarity * _mean_to_power(structure, power)
        result, truth = _halve(result), _halve(truth)
    luminance, structure = similarity_maps(result, truth, peak)
    return float(np.mean(similarity * _mean_to_power(luminance * structure, coarsest)))


def _mean_to_power(similarity: Array, power: float) -> Array:
    """Returns the mean of each channel's map, raised to `power`."""
    means: Array = np.maximum(np.mean(similarity, axis=(0, 1)), 0) ** power
    return means


def _halve(x: Array) -> Array:
    """Returns the means of 2 x 2 pixels; the last row or column of an odd side is repeated."""
    odd = [(0, x.shape[0] % 2), (0, x.shape[1] % 2), *[(0, 0)] * (x.ndim - 2)]
    x = np.pad(x, odd, mode="edge")
    means: Array = (x[::2, ::2] + x[::2, 1::2] + x[1::2, ::2] + x[1::2, 1::2]) / 4
    return means


def _measure(images: ComparedImages) -> float:
    return ms_ssim(images.result, images.truth, border=images.scale, peak=255)


MS_SSIM = Metric(
    "ms-ssim",
    "MS-SSIM",
    higher_is_better=True,
    digits=4,
    measure=_measure,
    statement="five scales, with its authors' powers and as their MATLAB code",
    shortest_side=_SHORTEST_SIDE,
)
