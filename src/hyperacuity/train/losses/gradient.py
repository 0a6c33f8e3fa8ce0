"""The mean absolute difference of the gradients."""

from __future__ import annotations

from torch import Tensor


def gradient(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute L1 between the differences of neighbours in the result and in the truth, down plus across.

    Source: Mathieu, Couprie, LeCun, arXiv 1511.05440, section 3.3, with an exponent of 1 and signed differences.
    """
    error = sr - hr
    down, across = error[..., 1:, :] - error[..., :-1, :], error[..., 1:] - error[..., :-1]
    return down.abs().mean() + across.abs().mean()
