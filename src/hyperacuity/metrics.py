"""How far one picture is from another.

The field reports PSNR and SSIM on the luma of BT.601 in studio range, on 0..255, rounded to 8 bits, with
`scale` pixels cut from each border. None of that is a default here: border and peak are in each signature,
and channels are the caller's choice (`colour.luma`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError

Array = NDArray[Any]

# Pixels of a side that must be left after the border is cut.
SSIM_LEAST, MS_SSIM_LEAST = 11, 176
# From the finest scale to the coarsest: "Multi-scale structural similarity for image quality assessment", section 3.2.
MS_SSIM_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr(result: Array, truth: Array, *, border: int, peak: float) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images.

    result, truth: arrays of one shape (H, W) or (H, W, C); all channels share one mean squared error.
    border: pixels ignored on every side. peak: the value of white, such as 255.
    """
    result, truth = _prepare(result, truth, border)
    error = float(np.mean((result - truth) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(result: Array, truth: Array, *, border: int, peak: float) -> float:
    """Structural similarity (Wang et al., IEEE TIP 13(4), 2004) as the authors' MATLAB code computes it.

    11 x 11 Gaussian window of sigma 1.5, only where it fits whole; K1 = 0.01, K2 = 0.03; population
    covariance. The mean over the map, and over channels for (H, W, C). Images must be 11 pixels or more
    on each side after the border is cut.
    """
    result, truth = _prepare(result, truth, border)
    if min(result.shape[:2]) < SSIM_LEAST:
        raise UsageError(f"SSIM needs 11 x 11 pixels or more after cutting the border; got {result.shape[:2]}")
    luminance, structure = _similarity(result, truth, peak)
    return float(np.mean(luminance * structure))


def ms_ssim(result: Array, truth: Array, *, border: int, peak: float) -> float:
    """Structural similarity at five scales (Wang, Simoncelli, Bovik, Asilomar 2003) as the authors' MATLAB code has it.

    At each scale `ssim`'s window and constants; the mean of contrast and structure at the first four, of all of SSIM at
    the last, each to its scale's power, multiplied. From scale to scale means of 2 x 2 pixels; what an odd side leaves
    over is its own mean. Negative means count as 0, where their power is not real. The mean over channels for
    (H, W, C). Images must be 176 pixels or more on each side after the border is cut: 11 at the last scale.
    """
    result, truth = _prepare(result, truth, border)
    if min(result.shape[:2]) < MS_SSIM_LEAST:
        raise UsageError(
            f"MS-SSIM needs 176 x 176 pixels or more after cutting the border; got {result.shape[:2]}: take SSIM"
        )
    *finer, coarsest = MS_SSIM_POWERS
    similarity = np.ones(result.shape[2:])
    for power in finer:
        _, structure = _similarity(result, truth, peak)
        similarity = similarity * _mean_to_the(power, structure)
        result, truth = _halved(result), _halved(truth)
    luminance, structure = _similarity(result, truth, peak)
    return float(np.mean(similarity * _mean_to_the(coarsest, luminance * structure)))


def flicker(result: Array, before: Array, truth: Array, truth_before: Array, *, border: int) -> float:
    """How much a video's result changes otherwise than its truth from one frame to the next; 0 where it is as steady.

    The mean of |(result - before) - (truth - truth_before)|, in the unit of the arrays, over all pixels and channels of
    four arrays of one shape (H, W) or (H, W, C). border: pixels ignored on every side.
    """
    result, truth = _prepare(result, truth, border)
    before, truth_before = _prepare(before, truth_before, border)
    return float(np.mean(np.abs((result - before) - (truth - truth_before))))


def _mean_to_the(power: float, similarity: Array) -> Array:
    means: Array = np.maximum(np.mean(similarity, axis=(0, 1)), 0) ** power
    return means


def _similarity(a: Array, b: Array, peak: float) -> tuple[Array, Array]:
    """The maps of SSIM's two factors: luminance, and contrast times structure."""
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


def _halved(x: Array) -> Array:
    """Means of 2 x 2 pixels; the last row or column of an odd side is repeated."""
    odd = [(0, x.shape[0] % 2), (0, x.shape[1] % 2), *[(0, 0)] * (x.ndim - 2)]
    x = np.pad(x, odd, mode="edge")
    means: Array = (x[::2, ::2] + x[::2, 1::2] + x[1::2, ::2] + x[1::2, 1::2]) / 4
    return means


def _prepare(result: Array, truth: Array, border: int) -> tuple[Array, Array]:
    if result.shape != truth.shape:
        raise UsageError(f"images to compare must have one shape; got {result.shape} and {truth.shape}")
    if truth.ndim not in (2, 3):
        raise UsageError(f"images to compare must be (H, W) or (H, W, C); got {truth.shape}")
    if border < 0 or min(truth.shape) == 0 or min(truth.shape[:2]) <= 2 * border:
        raise UsageError(f"nothing is left of {truth.shape[:2]} pixels after cutting {border} on each side")
    inside = slice(border, -border or None)
    return result[inside, inside].astype(np.float64), truth[inside, inside].astype(np.float64)
