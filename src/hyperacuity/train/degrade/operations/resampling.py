"""MATLAB's bicubic on batches, on any device, with the same results as `hyperacuity.resize`."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from hyperacuity.resize import taps

# At these scales the weights are multiples of 1 / 4096. Sums with 8-bit codes have 21 bits, which single precision
# holds, so that they are exact in any order. At other scales they must be added in MATLAB's order.
BINARY = (2, 4)


def bicubic(codes: Tensor, scale: int) -> Tensor:
    """Shrink 8-bit codes bit for bit as MATLAB's `imresize` does with uint8.

    Rows come first; each pass is rounded half up and clipped.

    Args:
        codes: (N, C, H, W) on 0..255, of any type; the sides divide by `scale`.
        scale: The factor.

    Returns:
        (N, C, H / scale, W / scale) float32: 8-bit codes over 255.
    """
    if scale in BINARY:
        down, across = (_matrix(side, side // scale, codes.device) for side in codes.shape[-2:])
        return to_codes(to_codes(down @ codes.float()) @ across.T) / 255
    height, width = (side // scale for side in codes.shape[-2:])
    made = to_codes(along(to_codes(along(exact(codes), height, -2)), width, -1)) / 255
    return made.to(codes.device, torch.float32)


def enlarge(lr: Tensor, scale: int) -> Tensor:
    """Enlarge (N, C, H, W) by `scale` without rounding: the input of networks that do not enlarge."""
    return resized(lr, lr.shape[-2] * scale, lr.shape[-1] * scale)


def shrink(sr: Tensor, scale: int) -> Tensor:
    """Shrink (N, C, H, W) by `scale` without rounding, so that gradients pass."""
    return resized(sr, sr.shape[-2] // scale, sr.shape[-1] // scale)


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """Resample (N, C, H, W) to another size, in the precision of `x`."""
    return along(along(x, height, -2), width, -1)


def exact(x: Tensor) -> Tensor:
    """Convert to double precision; on the CPU for devices without it, such as Apple's GPUs."""
    return x.to("cpu" if x.device.type == "mps" else x.device, torch.float64)


def to_codes(values: Tensor) -> Tensor:
    """Round half up and clip to 0..255."""
    return (values + 0.5).floor_().clamp_(0, 255)


def along(x: Tensor, target: int, axis: int) -> Tensor:
    """Resample one axis to `target` samples, adding tap after tap as `resize.resample` does."""
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
    """Return (target, source): the weight of each sample."""
    table = taps(source, target)
    matrix = np.zeros((target, source), np.float32)
    np.add.at(matrix, (np.arange(target)[:, None], table.index), table.weights)
    return torch.from_numpy(matrix).to(device)


@functools.lru_cache(64)
@torch.inference_mode(False)  # so that the table also serves when gradients are computed
def _table(
    source: int, target: int, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return, for each tap, the samples that are read, (target,), and their weights, (target, 1)."""
    table = taps(source, target)
    index = torch.from_numpy(table.index.T.copy()).to(device)
    weights = torch.from_numpy(table.weights.T.copy()).to(device, dtype)[..., None]
    return tuple(index), tuple(weights)
