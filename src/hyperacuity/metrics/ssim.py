"""SSIM: structural similarity."""

from __future__ import annotations

import numpy as np

from hyperacuity.errors import UsageError
from hyperacuity.metrics.metric import Array, ComparedImages, Metric, cut_border

SSIM_SHORTEST_SIDE = 11  # the side of its window


def ssim(result: Array, truth: Array, *, border: int, peak: float) -> float:
    """Structural similarity, as the authors' MATLAB code computes it; 1 for equal images.

    An 11 x 11 Gaussian window of sigma 1.5, only where all of it fits; K1 = 0.01, K2 = 0.03; population covariance. The
    mean over the map and over channels.

    Args:
        result: (H, W) or (H, W, C); sides of 11 pixels or more inside the border.
        truth: Of the same shape and range.
        border: Pixels to ignore on each side.
        peak: The value of white, such as 255.

    Raises:
        UsageError: If the shapes differ or the images are too small.

    Source: Wang, Bovik, Sheikh, Simoncelli: "Image quality assessment: from error visibility to structural similarity",
        IEEE TIP 13(4), 2004, section III.B and C.
    """
    result, truth = cut_border(result, truth, border)
    if min(result.shape[:2]) < SSIM_SHORTEST_SIDE:
        raise UsageError(f"SSIM needs 11 x 11 pixels or more after cutting the border; got {result.shape[:2]}")
    luminance, structure = similarity_maps(result, truth, peak)
    return float(np.mean(luminance * structure))


def similarity_maps(a: Array, b: Array, peak: float) -> tuple[Array, Array]:
    """Returns the maps of SSIM's two factors, luminance and contrast times structure, of two float64 images."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(x: Array) -> Array:
        for axis in (0, 1):
            x = np.lib.stride_tricks.sliding_window_view(x, 11, axis) @ window
        return x

    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = blur(a), blur(b)
    var_a = blur(a * a) - mean_a**2
    var_b = blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance, (2 * covariance + c2) / (var_a + var_b + c2)


def _measure(images: ComparedImages) -> float:
    return ssim(images.result, images.truth, border=images.scale, peak=255)


SSIM = Metric(
    "ssim",
    "SSIM",
    higher_is_better=True,
    digits=4,
    measure=_measure,
    statement="11 x 11 Gaussian window of sigma 1.5 where all of it fits, on 0-255, as its authors' MATLAB code",
    shortest_side=SSIM_SHORTEST_SIDE,
)
