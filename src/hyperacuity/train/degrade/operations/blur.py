"""Kernels that blur and kernels that ring, one for each image of a batch, and an unsharp mask.

Source: Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, arXiv 2107.10833, sections 3.1 and 3.3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Images are filtered by the Fourier transform, which takes half the time at sides that divide by this.
ROUND = 32
# The authors' unsharp mask: its Gaussian (OpenCV's sigma for 51 pixels), its strength, and the largest difference, of
# 255, that it does not sharpen.
USM_SIGMA, USM_SIZE, USM_WEIGHT, USM_THRESHOLD = 8.0, 51, 0.5, 10


def gaussian(along: Tensor, across: Tensor, angle: Tensor, size: int, shape: Tensor | None = None) -> Tensor:
    """Make Gaussian kernels exp(-d^(2 shape) / 2), each summing to 1; d is the distance in sigmas.

    Args:
        along: (N,) sigmas in pixels along an axis.
        across: (N,) sigmas in pixels across it.
        angle: (N,) radians by which the axis is turned.
        size: Pixels of a side, odd.
        shape: (N,) exponents of the generalised Gaussian; 1 if None.

    Returns:
        (N, size, size).
    """
    squared = _squared_distance(along, across, angle, size)
    return _normalised(torch.exp(-0.5 * (squared if shape is None else squared ** shape[:, None, None])))


def plateau(along: Tensor, across: Tensor, angle: Tensor, size: int, shape: Tensor) -> Tensor:
    """Make kernels 1 / (1 + d^(2 shape)), (N, size, size), each summing to 1; d and arguments as in `gaussian`."""
    return _normalised(1 / (1 + _squared_distance(along, across, angle, size) ** shape[:, None, None]))


def sinc(cutoff: Tensor, size: int) -> Tensor:
    """Make low-pass kernels after which edges ring, as in images sharpened or compressed too much.

    A kernel is the Fourier transform of a disc, J1(cutoff r) cutoff / (2 pi r).

    Args:
        cutoff: (N,) radians per pixel.
        size: Pixels of a side, odd.

    Returns:
        (N, size, size), each summing to 1.
    """
    at = torch.arange(size, device=cutoff.device, dtype=torch.float32) - size // 2
    radius = torch.hypot(at[:, None], at[None, :]).clamp_min(1e-3)  # not 0, where J1(x) / x is 1 / 2
    cutoff = cutoff[:, None, None]
    return _normalised(cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius))


def identity(size: int) -> Tensor:
    """Make the (size, size) kernel that changes nothing."""
    kernel = torch.zeros(size, size)
    kernel[size // 2, size // 2] = 1
    return kernel


def cut(kernels: Tensor, sizes: Tensor) -> Tensor:
    """Zero (N, k, k) kernels outside their middle of `sizes` pixels a side, (N,) and odd, and make them sum to 1."""
    size = kernels.shape[-1]
    near = (torch.arange(size, device=kernels.device) - size // 2).abs() <= sizes[:, None] // 2
    return _normalised(kernels * near[:, :, None] * near[:, None, :])


def filtered(x: Tensor, kernels: Tensor) -> Tensor:
    """Filter (N, C, H, W), each image by its own of (N, k, k) point-symmetric kernels, mirrored at the border."""
    height, width = x.shape[-2:]
    reach = kernels.shape[-1] // 2
    x = _mirrored(_mirrored(x, reach, -2), reach, -1)
    size = [-(-side // ROUND) * ROUND for side in x.shape[-2:]]
    spectrum = torch.fft.rfft2(x, s=size) * torch.fft.rfft2(kernels.to(x), s=size)[:, None]
    inside = 2 * reach  # the mirrored border, and as much again for the kernel's corner, which lies off its middle
    whole: Tensor = torch.fft.irfft2(spectrum, s=size)
    return whole[..., inside : inside + height, inside : inside + width]


def usm_sharpen(hr: Tensor) -> Tensor:
    """Sharpen (N, C, H, W) in [0, 1] by an unsharp mask where the difference is visible, as the authors sharpen HR."""
    sigma = torch.full((1,), USM_SIGMA, device=hr.device)
    kernel = gaussian(sigma, sigma, torch.zeros_like(sigma), USM_SIZE)
    detail = hr - filtered(hr, kernel)
    mask = filtered((detail.abs() * 255 > USM_THRESHOLD).to(hr.dtype), kernel).clamp(0, 1)
    sharp = (hr + USM_WEIGHT * detail).clamp(0, 1)
    return hr + mask * (sharp - hr)


def _squared_distance(along: Tensor, across: Tensor, angle: Tensor, size: int) -> Tensor:
    at = torch.arange(size, device=along.device, dtype=torch.float32) - size // 2
    y, x = at[None, :, None], at[None, None, :]
    cos, sin = (turn(angle)[:, None, None] for turn in (torch.cos, torch.sin))
    return ((x * cos + y * sin) / along[:, None, None]) ** 2 + ((y * cos - x * sin) / across[:, None, None]) ** 2


def _normalised(kernels: Tensor) -> Tensor:
    return kernels / kernels.sum((-2, -1), keepdim=True)


def _mirrored(x: Tensor, reach: int, axis: int) -> Tensor:
    """Extend an axis by `reach` at both ends, the last sample twice, as MATLAB's resampling does beyond a border."""
    while reach:
        length = x.shape[axis]
        step = min(reach, length)
        ends = x.narrow(axis, 0, step), x.narrow(axis, length - step, step)
        x = torch.cat((ends[0].flip(axis), x, ends[1].flip(axis)), axis)
        reach -= step
    return x
