"""Noise of a camera: Gaussian from its circuits, the same everywhere, and Poisson from counting light.

Source: Wang, Xie, Dong, Shan: Real-ESRGAN, arXiv 2107.10833, section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256


def gaussian(x: Tensor, sigma: Tensor, grey: Tensor, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise.

    Args:
        x: (N, C, H, W) in [0, 1].
        sigma: (N,) standard deviations, of 255.
        grey: (N,) bool: the same noise in all channels.
        generator: On the device of `x`.
    """
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    noise = torch.where(_each(grey), noise[:, :1], noise)
    return (x + noise * _each(sigma / 255)).clamp(0, 1)


def poisson(x: Tensor, strength: Tensor, grey: Tensor, generator: torch.Generator) -> Tensor:
    """Add the noise of light counted in 256 levels.

    Args:
        x: (N, C, H, W) in [0, 1].
        strength: (N,) factors of the noise.
        grey: (N,) bool: the noise of the luma, the same in all channels.
        generator: On the device of `x`.
    """
    x = x.clamp(0, 1)
    light = torch.where(_each(grey), _luma(x), x)
    noise = torch.poisson(light * LEVELS, generator=generator) / LEVELS - light
    noise = torch.where(_each(grey), noise[:, :1], noise)
    return (x + noise * _each(strength)).clamp(0, 1)


def _luma(x: Tensor) -> Tensor:
    """Full-range BT.601 luma."""
    return x if x.shape[1] == 1 else 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
