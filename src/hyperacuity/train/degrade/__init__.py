"""How LR comes of HR while a network learns: MATLAB's bicubic, a blur before it, or a chain like that of real photos.

Batches on any device; all that is random comes from the generator that is given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hyperacuity.train.degrade import blur
from hyperacuity.train.degrade.blur import usm_sharpen
from hyperacuity.train.degrade.chain import degraded
from hyperacuity.train.degrade.records import Bicubic, BlurBicubic, Chain
from hyperacuity.train.degrade.resampling import bicubic, enlarge, exact, shrink, to_codes

__all__ = [
    "Bicubic",
    "BlurBicubic",
    "Chain",
    "bicubic",
    "degrade",
    "enlarge",
    "inner",
    "shrink",
    "truth",
    "usm_sharpen",
]


def degrade(hr: Tensor, scale: int, how: Bicubic | BlurBicubic | Chain, generator: torch.Generator) -> Tensor:
    """(N, C, H, W) uint8 -> (N, C, H / scale, W / scale) float32 in [0, 1], 8-bit codes over 255; sides divide by
    `scale`.

    generator: on the device of `hr`; in the same state it gives the same LR.
    """
    if isinstance(how, Bicubic):
        return bicubic(hr, scale)
    hr = hr.float() / 255
    if isinstance(how, Chain):
        return degraded(hr, scale, how, generator)
    low, high = how.sigma
    sigma = low + (high - low) * torch.rand(len(hr), generator=generator, device=hr.device)
    kernels = blur.gaussian(sigma, sigma, torch.zeros_like(sigma), 2 * how.reach + 1)
    codes = exact(hr) * 255
    codes = to_codes(blur.filtered(codes, kernels.to(codes)))
    if how.then == "bicubic":
        return bicubic(codes.to(hr), scale)
    return (codes[..., scale // 2 :: scale, scale // 2 :: scale] / 255).to(hr)


def truth(hr: Tensor, how: Bicubic | BlurBicubic | Chain, margin: int = 0) -> Tensor:
    """(N, C, H, W) uint8 -> float32 in [0, 1], without `margin` pixels at each border: what the network's answer is
    compared with, which is HR itself, or sharpened where the chain says so.
    """
    if isinstance(how, Chain) and how.sharpen_truth:
        return inner(usm_sharpen(hr.float() / 255), margin)
    return inner(hr, margin).float() / 255


def inner(x: Tensor, margin: int) -> Tensor:
    """A view without `margin` pixels at each border."""
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]
