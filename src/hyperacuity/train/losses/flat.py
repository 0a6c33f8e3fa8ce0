"""The fine structure of flat surfaces, where losses of appearance like a regular texture that eyes do not."""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch.nn import functional

# Means of a neighbourhood without the pixels beyond the border.
_mean = partial(functional.avg_pool2d, stride=1, count_include_pad=False)
# The standard deviation in 7x7 pixels at which a surface counts as flat by 37 %.
FLAT = 4 / 255


def flat(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute L1 of what a 3x3 mean leaves out, weighted by how flat the truth is around each pixel.

    The weight falls exponentially with the standard deviation of the truth in 7x7 pixels.
    """
    mean, squares = (_mean(x, 7, padding=3) for x in (hr, hr.square()))
    spread = (squares - mean.square()).clamp_min(0).sqrt()
    error = sr - hr
    fine = error - _mean(error, 3, padding=1)
    return ((-spread / FLAT).exp() * fine.abs()).mean()
