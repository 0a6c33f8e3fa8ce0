"""Kernels that blur, one for each picture of a batch, and ringing ones.

Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, arXiv 2107.10833, section 3.1 and 3.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def reach(sigma: float) -> int:
    """How far a Gaussian of `sigma` pixels is followed: beyond, less than 1 % of it lies."""
    return math.ceil(2.6 * sigma)


def gaussian(along: Tensor, across: Tensor, angle: Tensor, size: int, shape: Tensor | None = None) -> Tensor:
    """(N, size, size), each summing to 1: exp(-d^(2 shape) / 2) for d the distance in sigmas `along` and `across` an
    axis turned by `angle`; shape 1 is Gauss's, others the generalised one. All (N,).
    """
    distance = _squared_distance(along, across, angle, size)
    if shape is not None:
        distance = distance ** shape[:, None, None]
    return _normalised(torch.exp(-0.5 * distance))


def plateau(along: Tensor, across: Tensor, angle: Tensor, size: int, shape: Tensor) -> Tensor:
    """(N, size, size), each summing to 1: 1 / (1 + d^(2 shape)), flat in the middle and steep beyond."""
    return _normalised(1 / (1 + _squared_distance(along, across, angle, size) ** shape[:, None, None]))


def sinc(cutoff: Tensor, size: int) -> Tensor:
    """(N, size, size), each summing to 1: passes frequencies below `cutoff` radians a pixel, (N,), and rings as
    over-sharpened pictures do: J1(cutoff r) cutoff / (2 pi r), the transform of a disc.
    """
    at = torch.arange(size, device=cutoff.device, dtype=torch.float32) - size // 2
    radius = torch.hypot(at[:, None], at[None, :]).clamp_min(1e-6)
    radius = torch.where(radius < 0.5, 1e-3, radius)  # where J1(x) / x is 1 / 2 to all digits
    cut = cutoff[:, None, None]
    return _normalised(cut * torch.special.bessel_j1(cut * radius) / (2 * math.pi * radius))


def filtered(x: Tensor, kernels: Tensor) -> Tensor:
    """(N, C, H, W), each picture by its own of (N, k, k); mirrored at the border."""
    count, channels, height, width = x.shape
    margin = kernels.shape[-1] // 2
    if margin < min(height, width):
        x = functional.pad(x, [margin] * 4, mode="reflect")
    else:
        x = functional.pad(x, [margin] * 4, mode="replicate")
    weights = kernels[:, None].repeat_interleave(channels, 0)
    x = x.reshape(1, count * channels, *x.shape[-2:])
    return functional.conv2d(x, weights.to(x.dtype), groups=count * channels).view(count, channels, height, width)


def _squared_distance(along: Tensor, across: Tensor, angle: Tensor, size: int) -> Tensor:
    at = torch.arange(size, device=along.device, dtype=torch.float32) - size // 2
    y, x = at[None, :, None], at[None, None, :]
    cos, sin = (f(angle)[:, None, None] for f in (torch.cos, torch.sin))
    return ((x * cos + y * sin) / along[:, None, None]) ** 2 + ((y * cos - x * sin) / across[:, None, None]) ** 2


def _normalised(kernels: Tensor) -> Tensor:
    return kernels / kernels.sum((-2, -1), keepdim=True)
