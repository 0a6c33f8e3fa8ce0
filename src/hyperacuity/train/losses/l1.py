"""The mean absolute difference."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def l1(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute the mean absolute difference."""
    return functional.l1_loss(sr, hr)
