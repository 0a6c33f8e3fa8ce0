"""The kinds of everyday degradation: a function for each, and one line in `KINDS`.

Kinds and strengths are our own choice, after what cameras, websites and messengers do to images. The heavy chain is
that of Wang, Xie, Dong, Shan: Real-ESRGAN, arXiv 2107.10833, section 3. JPEG files are written and read by Pillow's
libjpeg: real files with real chroma subsampling.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from hyperacuity.train.degrade.chain import Chain
from hyperacuity.train.degrade.operations import blur, single_image
from hyperacuity.train.degrade.operations.dice import Dice
from hyperacuity.train.degrade.operations.resampling import bicubic

CHAIN = Chain(sharpen_hr=False)
# JPEG's blocks with halved chroma, in pixels; the second of two JPEGs can have them at other places.
BLOCK = 16


def _web(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Uploaded once, made smaller by 0.5 to 1 and compressed by the website."""
    small = _size(x, scale)
    x = single_image.resized(x, _times(small, 1 / dice.between(0.5, 1)), dice)
    if dice.chance(0.5):
        x = single_image.jpeg_file(x, dice, 75, 95)
    x = single_image.resized(x, small, dice)
    if dice.chance(0.3):
        x = single_image.sharpened(x, dice.between(0.5, 1), dice.between(0.2, 0.8))
    return single_image.jpeg_file(x, dice, 30, 95)


def _phone(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Noise of a small sensor, smoothed and sharpened by the phone's own processing, one good JPEG."""
    x = single_image.resized(x, _size(x, scale), dice)
    dark, light = dice.between(1, 8), dice.between(2, 14)
    sigma = (dark**2 + light**2 * x / 255).sqrt()
    noise = dice.normal(*x.shape)
    if dice.chance(0.6):  # demosaicing mixes neighbours
        noise = single_image.smoothed(noise, dice.between(0.4, 0.8))
    luma, chroma = noise.mean(0, keepdim=True) * math.sqrt(3), noise
    x = x + sigma * torch.lerp(luma, chroma, dice.between(0.2, 1))
    if dice.chance(0.6):
        x = single_image.smoothed(x, dice.between(0.3, 0.8))
    x = single_image.sharpened(x.clamp(0, 255), dice.between(0.6, 1.5), dice.between(0.3, 1.5))
    return single_image.jpeg_file(x, dice, 75, 96)


def _double(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Compressed, cropped or resized a little, and compressed again."""
    small = _size(x, scale)
    if dice.chance(0.5):
        x = single_image.jpeg_file(single_image.resized(x, _times(small, dice.between(0.75, 1.4)), dice), dice, 40, 95)
        return single_image.jpeg_file(single_image.resized(x, small, dice), dice, 30, 90)
    across, down = dice.whole(0, BLOCK - 1), dice.whole(0, BLOCK - 1)
    x = single_image.resized(x, small, dice)
    x = single_image.padded(x, across, 0, down, 0)
    x = single_image.jpeg_file(x, dice, 40, 95)[:, down:, across:]
    return single_image.jpeg_file(x, dice, 30, 90)


def _out_of_focus(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Slight defocus (a disc) or motion blur (a line) of the lens, a little noise, mostly JPEG."""
    if dice.chance(0.5):
        kernel = single_image.disc(dice.between(0.4, 2.0) * scale)
    else:
        kernel = single_image.line(dice.between(1.5, 6.0) * scale, dice.between(0, math.pi))
    x = blur.filtered(x[None], kernel[None])[0]
    x = single_image.resized(x, _size(x, scale), dice)
    x = x + dice.normal(*x.shape) * dice.between(0, 4)
    return single_image.jpeg_file(x, dice, 60, 95) if dice.chance(0.7) else x


def _scan(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """A scanned print: soft, with grain and dust, sometimes a scratch, mostly JPEG."""
    x = single_image.resized(x, _size(x, scale), dice)
    x = single_image.smoothed(x, dice.between(0.3, 1.0))
    grain = single_image.smoothed(dice.normal(1, *x.shape[-2:]), dice.between(0.4, 1.0))
    x = x + grain / grain.std() * dice.between(2, 11)
    height, width = x.shape[-2:]
    y, across = torch.arange(height)[:, None], torch.arange(width)[None, :]
    for _ in range(dice.whole(0, 6)):
        distance = torch.hypot(y - dice.between(0, height), across - dice.between(0, width))
        x = torch.lerp(x, torch.full_like(x, dice.one((20.0, 235.0))), (dice.between(0.6, 1.6) - distance).clamp(0, 1))
    if dice.chance(0.25):
        distance = (across - dice.between(0, width) - dice.between(-0.1, 0.1) * y).abs()
        x = x + dice.between(-50, 90) * (dice.between(0.6, 1.1) - distance).clamp(0, 1)
    return single_image.jpeg_file(x, dice, 60, 95) if dice.chance(0.8) else x


def _screenshot(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Graphics and text with hard edges: as JPEG, with a palette, or lossless."""
    x = single_image.resized(x, _size(x, scale), dice)
    if dice.chance(0.1):
        small = single_image.to_image(x).quantize(dice.one((32, 64, 128, 256)), dither=Image.Dither.FLOYDSTEINBERG)
        return single_image.from_image(small.convert("RGB"))
    return single_image.jpeg_file(x, dice, 30, 95) if dice.chance(0.8) else x


def _light(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """A good file: faint noise, JPEG of high quality."""
    x = single_image.resized(x, _size(x, scale), dice)
    if dice.chance(0.5):
        x = x + dice.normal(*x.shape) * dice.between(0.5, 3)
    return single_image.jpeg_file(x, dice, 85, 98) if dice.chance(0.7) else x


def _clean(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Only made smaller; mostly by MATLAB's bicubic, as benchmarks are: a network must know the filter to undo it."""
    if scale > 1 and dice.chance(0.9):
        return bicubic(x[None], scale)[0] * 255
    return single_image.resized(x, _size(x, scale), dice)


def _heavy(x: Tensor, scale: int, dice: Dice) -> Tensor:
    """Real-ESRGAN's chain of two passes."""
    return CHAIN.degrade(x[None].byte(), scale, dice.generator())[0] * 255


def _size(x: Tensor, scale: int) -> tuple[int, int]:
    return x.shape[-2] // scale, x.shape[-1] // scale


def _times(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return round(size[0] * factor), round(size[1] * factor)


# Each makes codes (3, H / scale, W / scale), not rounded, of codes (3, H, W).
KINDS: dict[str, Callable[[Tensor, int, Dice], Tensor]] = {
    "web": _web,
    "phone": _phone,
    "double": _double,
    "out-of-focus": _out_of_focus,
    "scan": _scan,
    "screenshot": _screenshot,
    "light": _light,
    "clean": _clean,
    "heavy": _heavy,
}
