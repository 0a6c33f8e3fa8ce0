"""L1 with a rounded tip."""

from __future__ import annotations

from torch import Tensor


def charbonnier(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute the mean of sqrt(d^2 + 0.001^2).

    Source: LapSRN, arXiv 1704.03915, section 3.3.
    """
    return ((sr - hr).square() + 1e-6).sqrt().mean()
