"""Total variation, of the result alone."""

from __future__ import annotations

from torch import Tensor


def tv(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute the mean absolute difference of neighbours, down and across."""
    return (sr[..., 1:, :] - sr[..., :-1, :]).abs().mean() + (sr[..., 1:] - sr[..., :-1]).abs().mean()
