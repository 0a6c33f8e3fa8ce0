"""Noise of a camera: that of its circuits, the same everywhere, and that of light, which is counted.

Wang, Xie, Dong, Shan: Real-ESRGAN, arXiv 2107.10833, section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256


def gaussian(x: Tensor, sigma: Tensor, grey: Tensor, generator: torch.Generator) -> Tensor:
    """(N, C, H, W) in [0, 1] with noise of `sigma` of 255, (N,), the same in all channels where `grey`, (N,) bool."""
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    noise = torch.where(_each(grey), noise[:, :1], noise)
    return (x + noise * _each(sigma / 255)).clamp(0, 1)


def poisson(x: Tensor, strength: Tensor, grey: Tensor, generator: torch.Generator) -> Tensor:
    """(N, C, H, W) in [0, 1] with the noise of light that is counted in 256 levels, times `strength`, (N,); where
    `grey`, (N,) bool, that of the luma, the same in all channels.
    """
    x = x.clamp(0, 1)
    light = torch.where(_each(grey), _luma(x), x)
    noise = torch.poisson(light * LEVELS, generator=generator) / LEVELS - light
    noise = torch.where(_each(grey), noise[:, :1], noise)
    return (x + noise * _each(strength)).clamp(0, 1)


def _luma(x: Tensor) -> Tensor:
    """BT.601's, full range."""
    return x if x.shape[1] == 1 else 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
