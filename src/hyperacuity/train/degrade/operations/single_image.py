"""What cameras, websites and programs do to one image: resizing, real JPEG files, sharpening; kernels of a lens.

Images are (3, H, W) 8-bit codes, also between the codes, on the CPU.
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from hyperacuity.train.degrade.operations.dice import Dice
from hyperacuity.train.degrade.operations.resampling import to_codes


def resized(x: Tensor, size: tuple[int, int], dice: Dice) -> Tensor:
    """Resize to (H, W) by one of the methods that programs use, sometimes without antialiasing; clipped."""
    if x.shape[-2:] == size:
        return x
    method = dice.one(("bicubic", "bicubic", "bilinear", "lanczos", "area", "careless"))
    if method == "lanczos":
        return from_image(to_image(x).resize(size[::-1], Image.Resampling.LANCZOS))
    if method == "area":
        return functional.interpolate(x[None], size=size, mode="area")[0]
    if method == "careless":
        # Antialiased down to twice the size first: without it, nothing of the image would be recognised.
        while x.shape[-1] >= 2 * size[1]:
            x = functional.avg_pool2d(x[None], 2)[0]
        return functional.interpolate(x[None], size=size, mode="bilinear", align_corners=False)[0]
    y = functional.interpolate(x[None], size=size, mode=method, align_corners=False, antialias=True)[0]
    return y.clamp(0, 255)


def jpeg_file(x: Tensor, dice: Dice, low: int, high: int) -> Tensor:
    """Write a JPEG file with a quality from `low` to `high` and read it again; in four of five, chroma is halved."""
    file = io.BytesIO()
    subsampling = "4:2:0" if dice.chance(0.8) else dice.one(("4:4:4", "4:2:2"))
    to_image(x).save(file, "JPEG", quality=dice.whole(low, high), subsampling=subsampling)
    return from_image(Image.open(file))


def to_image(x: Tensor) -> Image.Image:
    """Convert codes, rounded and clipped, to a Pillow image."""
    return Image.fromarray(to_codes(x.clone()).byte().permute(1, 2, 0).contiguous().numpy())


def from_image(image: Image.Image) -> Tensor:
    """Convert an RGB Pillow image to codes."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


def padded(x: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    """Continue (C, H, W) beyond its border with its mirror image; one too small for that, with its border pixels."""
    enough = max(left, right) < x.shape[-1] and max(top, bottom) < x.shape[-2]
    return functional.pad(x[None], (left, right, top, bottom), mode="reflect" if enough else "replicate")[0]


def smoothed(x: Tensor, sigma: float) -> Tensor:
    """Filter (C, H, W) with a Gaussian, one axis after the other."""
    reach = max(1, math.ceil(3 * sigma))
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    weights = weights / weights.sum()
    y = padded(x, reach, reach, reach, reach)[:, None]
    y = functional.conv2d(y, weights[None, None, None, :])
    return functional.conv2d(y, weights[None, None, :, None])[:, 0]


def sharpened(x: Tensor, sigma: float, amount: float) -> Tensor:
    """Apply an unsharp mask; clipped."""
    return (x + amount * (x - smoothed(x, sigma))).clamp(0, 255)


def disc(radius: float) -> Tensor:
    """Return the (k, k) kernel of defocus, summing to 1: a disc whose border is one pixel soft."""
    reach = math.ceil(radius)
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = (radius + 0.5 - torch.hypot(at[:, None], at[None, :])).clamp(0, 1)
    return kernel / kernel.sum()


def line(length: float, angle: float) -> Tensor:
    """Return the (k, k) kernel of straight motion, summing to 1: a line one pixel wide, point-symmetric."""
    reach = math.ceil(length / 2)
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    along = at[None, :] * math.cos(angle) + at[:, None] * math.sin(angle)
    across = at[:, None] * math.cos(angle) - at[None, :] * math.sin(angle)
    kernel = (length / 2 + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp(0, 1)
    return kernel / kernel.sum()
