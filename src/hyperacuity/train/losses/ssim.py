"""The structural similarity."""

from __future__ import annotations

import torch
from torch import Tensor

from hyperacuity.errors import UsageError

# The Gaussian of SSIM, with a standard deviation of 1.5.
WINDOW: list[float] = torch.softmax(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2), 0).tolist()


def ssim(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute 1 - SSIM, where SSIM is `metrics.ssim` with a peak of 1 and no border.

    Raises:
        UsageError: For less than 11 x 11 pixels.
    """
    if min(sr.shape[-2:]) < len(WINDOW):
        raise UsageError(f"SSIM needs 11 x 11 pixels or more; got {tuple(sr.shape[-2:])}: use a larger data.patch")
    c1, c2 = 0.01**2, 0.03**2
    a, b, aa, bb, ab = _blurred(torch.stack((sr, hr, sr * sr, hr * hr, sr * hr))).unbind()
    variances, covariance = aa - a * a + bb - b * b, ab - a * b
    structure = (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2))
    return 1 - structure.mean()


def _blurred(x: Tensor) -> Tensor:
    """Filter with SSIM's window wherever it lies within the image."""
    # Tap after tap: cuDNN would round the factors of a convolution to TF32, an error of half of c2.
    for axis in (-2, -1):
        size = x.shape[axis] - len(WINDOW) + 1
        total = x.narrow(axis, 0, size) * WINDOW[0]
        for at, weight in enumerate(WINDOW[1:], 1):
            total = total.add(x.narrow(axis, at, size), alpha=weight)
        x = total
    return x
