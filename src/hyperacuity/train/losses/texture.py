"""How strong the texture is, for each place of a pixel within the grid of LR pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# LR pixels of a side of the neighbourhood in which the strength is measured.
SIDE = 7
# Squares below this do not count: the gradient of a root has no bound at 0.
_LEAST = 1e-6


def texture(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """Compute L1 between the strengths of the texture of the result and of the truth, down plus across.

    The strength is the root mean square of the differences of neighbours, in 7 x 7 LR pixels, for each of the places
    of a pixel within its LR pixel. It asks for as much texture as the truth has, wherever its details lie, but for no
    regular pattern in step with the LR pixels, which networks with a pixel shuffle make and losses of appearance
    tolerate: there the places differ.
    """
    scale = sr.shape[-1] // lr.shape[-1]
    return sum((_strength(sr, axis, scale) - _strength(hr, axis, scale)).abs().mean() for axis in (-2, -1))  # type: ignore[return-value]


def _strength(x: Tensor, axis: int, scale: int) -> Tensor:
    squares = (torch.roll(x, -1, axis) - x).square()
    places = functional.pixel_unshuffle(squares, scale)[..., :-1, :-1]  # without the neighbours across the border
    return (functional.avg_pool2d(places, min(SIDE, *places.shape[-2:]), 1) + _LEAST).sqrt()
