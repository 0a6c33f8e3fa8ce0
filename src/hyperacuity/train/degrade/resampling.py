"""MATLAB's bicubic on batches, on any device: the same numbers as `hyperacuity.resize`."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from hyperacuity.resize import taps

# At these scales the weights are whole numbers of 1 / 4096: sums with 8-bit codes have 21 bits, which single precision
# holds, so that all of them are exact in whatever order they are added. At others they must be added as MATLAB does it.
BINARY = (2, 4)


def bicubic(codes: Tensor, scale: int) -> Tensor:
    """8-bit codes (N, C, H, W), of any type -> (N, C, H / scale, W / scale) float32, such codes over 255: bit for bit
    what MATLAB makes of uint8 by `imresize`, rows first, rounded half up and clipped after each pass.
    """
    if scale in BINARY:
        down, across = (_matrix(side, side // scale, codes.device) for side in codes.shape[-2:])
        return to_codes(to_codes(down @ codes.float()) @ across.T) / 255
    height, width = (side // scale for side in codes.shape[-2:])
    made = to_codes(along(to_codes(along(exact(codes), height, -2)), width, -1)) / 255
    return made.to(codes.device, torch.float32)


def enlarge(lr: Tensor, scale: int) -> Tensor:
    """(N, C, H, W) -> (N, C, H * scale, W * scale), not rounded: what networks are given that do not enlarge."""
    return resized(lr, lr.shape[-2] * scale, lr.shape[-1] * scale)


def shrink(sr: Tensor, scale: int) -> Tensor:
    """(N, C, H, W) -> (N, C, H / scale, W / scale), not rounded, so that gradients pass."""
    return resized(sr, sr.shape[-2] // scale, sr.shape[-1] // scale)


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """At another size, in the precision of `x`."""
    return along(along(x, height, -2), width, -1)


def exact(x: Tensor) -> Tensor:
    """The same in double precision; on the CPU where a device has none, as Apple's GPUs."""
    return x.to("cpu" if x.device.type == "mps" else x.device, torch.float64)


def to_codes(values: Tensor) -> Tensor:
    """8-bit codes: rounded half up, clipped."""
    return (values + 0.5).floor_().clamp_(0, 255)


def along(x: Tensor, target: int, axis: int) -> Tensor:
    """One axis resampled to `target` samples; tap after tap, as `resize.resample` adds them up."""
    if axis == -1:
        return along(x.transpose(-1, -2).contiguous(), target, -2).transpose(-1, -2)
    index, weights = _table(x.shape[-2], target, x.device, x.dtype)
    total = x.index_select(-2, index[0]) * weights[0]
    for tap in range(1, len(index)):
        # Not `addcmul`, which would round once instead of twice.
        total = total + x.index_select(-2, index[tap]) * weights[tap]
    return total


@functools.lru_cache(64)
@torch.inference_mode(False)
def _matrix(source: int, target: int, device: torch.device) -> Tensor:
    """(target, source): the weight of each sample."""
    table = taps(source, target)
    matrix = np.zeros((target, source), np.float32)
    np.add.at(matrix, (np.arange(target)[:, None], table.index), table.weights)
    return torch.from_numpy(matrix).to(device)


@functools.lru_cache(64)
@torch.inference_mode(False)  # so that the table can also be used where gradients are taken
def _table(
    source: int, target: int, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """For each tap, which samples are read, (target,), and with what weights, (target, 1)."""
    table = taps(source, target)
    index = torch.from_numpy(table.index.T.copy()).to(device)
    weights = torch.from_numpy(table.weights.T.copy()).to(device, dtype)[..., None]
    return tuple(index), tuple(weights)
