"""Images to degrade, and functions that make the calls in tests short."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperacuity.train.degrade import Degradation

Pixels = Any

# A chain that only resizes to the size of LR.
IDLE: dict[str, Any] = {
    "first": {
        "blur": {"probability": 0},
        "resize": {"chances": [0, 0, 1]},
        "noise": {"gaussian": 1, "sigma": [0, 0]},
        "jpeg": [100, 100],
    },
    "last_sinc": 0,
    "sharpen_hr": False,
}

IDLE["second"] = IDLE["first"]


def degrade(hr: Tensor, scale: int, how: Degradation, random: torch.Generator) -> Tensor:
    return how.degrade(hr, scale, random)


def truth(hr: Tensor, how: Degradation, margin: int = 0) -> Tensor:
    return how.truth(hr, margin)


def tensor(pixels: Pixels) -> Tensor:
    """(H, W) or (H, W, C) uint8 as a batch of one."""
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)[None]


def pixels(x: Tensor) -> Pixels:
    return (x[0].permute(1, 2, 0) * 255).round().byte().numpy()


def photo(side: int = 96) -> Tensor:
    """Return a colour image with edges, gradients and texture."""
    y, x = np.mgrid[0:side, 0:side]
    planes = [128 + 90 * np.sin(x / 5 + y / 9), 255.0 * (x > y), (x * y) % 200]
    return tensor(np.stack(planes, -1).astype(np.uint8))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> Tensor:
    """Return 8-bit noise, half of it black or white, where rounding clips."""
    return torch.randint(-128, 384, shape, generator=generator(seed)).clamp(0, 255).byte()


def kernel_of(make: Any, *values: float) -> Pixels:
    """Return one kernel; `size` is the fourth argument of kernels with an angle."""
    first, rest = [torch.tensor([value]) for value in values[:3]], [torch.tensor([value]) for value in values[3:]]
    return make(*first, 21, *rest)[0].double().numpy()
