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
    if min(result.shape[:2]) < 11:
        raise UsageError(f"SSIM needs 11 x 11 pixels or more after cutting the border; got {result.shape[:2]}")
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(x: Array) -> Array:
        for axis in (0, 1):
            x = np.lib.stride_tricks.sliding_window_view(x, 11, axis) @ window
        return x

    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = blur(result), blur(truth)
    var_a = blur(result * result) - mean_a**2
    var_b = blur(truth * truth) - mean_b**2
    covariance = blur(result * truth) - mean_a * mean_b
    structure = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float(np.mean(structure / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))))


def _prepare(result: Array, truth: Array, border: int) -> tuple[Array, Array]:
    if result.shape != truth.shape:
        raise UsageError(f"images to compare must have one shape; got {result.shape} and {truth.shape}")
    if truth.ndim not in (2, 3):
        raise UsageError(f"images to compare must be (H, W) or (H, W, C); got {truth.shape}")
    if border < 0 or min(truth.shape) == 0 or min(truth.shape[:2]) <= 2 * border:
        raise UsageError(f"nothing is left of {truth.shape[:2]} pixels after cutting {border} on each side")
    inside = slice(border, -border or None)
    return result[inside, inside].astype(np.float64), truth[inside, inside].astype(np.float64)
