"""PSNR: peak signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np

from hyperacuity.metrics.metric import Array, ComparedImages, Metric, cut_border


def psnr(result: Array, truth: Array, *, border: int, peak: float) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images.

    Args:
        result: (H, W) or (H, W, C); all channels share one mean squared error.
        truth: Of the same shape and range.
        border: Pixels to ignore on each side.
        peak: The value of white, such as 255.

    Raises:
        UsageError: If the shapes differ, or if nothing is left inside the border.

    Example:
        >>> import numpy as np
        >>> black = np.zeros((8, 8))
        >>> round(psnr(black, black + 1, border=0, peak=255), 2)
        48.13
    """
    result, truth = cut_border(result, truth, border)
    error = float(np.mean((result - truth) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def _measure(images: ComparedImages) -> float:
    return psnr(images.result, images.truth, border=images.scale, peak=255)


PSNR = Metric("psnr", "PSNR", higher_is_better=True, digits=2, measure=_measure, unit="dB")
