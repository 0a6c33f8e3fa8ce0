"""Whether the result, shrunk again, is the LR."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.train.degrade.operations.resampling import shrink


def consistency(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute L1 between the LR and the result shrunk by MATLAB's bicubic without rounding.

    Two LR pixels at each border are left out, where the neighbours of a patch are missing.

    Raises:
        UsageError: For less than 5 x 5 LR pixels.
    """
    if min(lr.shape[-2:]) < 5:
        size = tuple(lr.shape[-2:])
        raise UsageError(f"consistency needs 5 x 5 LR pixels or more; got {size}: use a larger data.patch")
    again = shrink(sr, sr.shape[-1] // lr.shape[-1])
    return functional.l1_loss(again[..., 2:-2, 2:-2], lr[..., 2:-2, 2:-2])
