"""The mean squared difference."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def mse(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute the mean squared difference."""
    return functional.mse_loss(sr, hr)
