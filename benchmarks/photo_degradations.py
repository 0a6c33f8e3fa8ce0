"""Fixed, seeded degradations of photos at three strengths, on which benchmarks/photos.py compares models.

They are written apart from those of the trainer, so that a model is not measured on the very functions it learnt from;
their strengths follow the middle of the same ranges. JPEG files are real ones, by Pillow's libjpeg.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from hyperacuity.resize import resize

Codes = NDArray[np.uint8]
Values = NDArray[np.float64]

STRENGTHS = ("light", "medium", "strong")


@dataclass(frozen=True)
class Kind:
    """One kind of degradation.

    Attributes:
        make: Makes (truth, LR) of HR, the scale, the number of the strength from 0 to 2, and a source of randomness.
        strengths: Whether it has three strengths, or only one.
    """

    make: Callable[[Codes, int, int, np.random.Generator], tuple[Codes, Codes]]
    strengths: bool = True


def degrade(hr: Codes, scale: int, kind: str, strength: str, *, seed: int) -> tuple[Codes, Codes]:
    """Degrade an image.

    Args:
        hr: (H, W, 3); the scale divides its sides.
        scale: HR pixels for each LR pixel along a side.
        kind: A key of `KINDS`.
        strength: One of `STRENGTHS`.
        seed: The same seed gives the same LR.

    Returns:
        The truth, which is HR except for kinds that draw on it, and LR, (H / scale, W / scale, 3).
    """
    number = STRENGTHS.index(strength)
    return KINDS[kind].make(hr, scale, number, np.random.default_rng([seed, list(KINDS).index(kind), number]))


def _clean(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Made small by bicubic, as the papers do."""
    return hr, _small(hr, scale)


def _web(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Made small and compressed once by a website."""
    return hr, _jpeg(_small(hr, scale), (85, 60, 35)[strength])


def _phone(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Noise of a small sensor, smoothed by demosaicing, sharpened, one good JPEG."""
    lr = _small(hr, scale)
    noise = np.stack([_smooth(rng.normal(size=lr.shape[:2]), 0.5) for _ in range(3)], axis=-1)
    noisy = to_codes(lr + noise / noise.std() * (3, 6, 11)[strength])
    sharp = Image.fromarray(noisy).filter(ImageFilter.UnsharpMask(radius=1, percent=60, threshold=0))
    return hr, _jpeg(np.asarray(sharp), 90)


def _double(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Compressed, made a little smaller, and compressed again."""
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    larger = resize(hr, size=(round(1.3 * height), round(1.3 * width)))
    first = _jpeg(larger, (80, 60, 40)[strength])
    return hr, _jpeg(resize(first, size=(height, width)), (85, 70, 50)[strength])


def _out_of_focus(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Blurred by a disc, as a lens does, with a little noise, one good JPEG."""
    lr = _small(defocused(hr, (0.6, 1.1, 1.7)[strength] * scale), scale)
    return hr, _jpeg(to_codes(lr + rng.normal(size=lr.shape) * 1.5), 90)


def _motion(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Blurred along a line, one good JPEG."""
    return hr, _jpeg(_small(moved(hr, (1.5, 3.0, 5.0)[strength] * scale, rng), scale), 90)


def _scan(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """A scanned print: soft, with grain that all colours share."""
    lr = _small(hr, scale)
    soft = np.stack([_smooth(lr[..., n].astype(np.float64), 0.6) for n in range(3)], axis=-1)
    grain = _smooth(rng.normal(size=lr.shape[:2]), 0.7)
    return hr, _jpeg(to_codes(soft + (grain / grain.std() * (3, 6, 10)[strength])[..., None]), 85)


def _screenshot(hr: Codes, scale: int, strength: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """A photo under a caption, as messengers send it: the truth has the caption too."""
    image = Image.fromarray(hr)
    draw = ImageDraw.Draw(image)
    size = 11 * scale
    draw.rectangle((0, 0, image.width, 2 * size), fill=(250, 250, 250))
    draw.text((size, size / 2), "Sunday, 14:36  Look at this! 0123456789", fill=(25, 25, 30), font=_font(size))
    truth = np.asarray(image)
    return truth, _jpeg(_small(truth, scale), (85, 60, 35)[strength])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _small(hr: Codes, scale: int) -> Codes:
    lr: Codes = resize(hr, size=(hr.shape[0] // scale, hr.shape[1] // scale))
    return lr


def _jpeg(pixels: Codes, quality: int) -> Codes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def to_codes(values: NDArray[Any]) -> Codes:
    """Values from 0 to 255, rounded."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def defocused(pixels: Codes, radius: float) -> Codes:
    """An image blurred by a disc of a radius in pixels, as a lens does."""
    side = math.ceil(radius)
    y, x = np.mgrid[-side : side + 1, -side : side + 1]
    return _filtered(pixels, np.clip(radius + 0.5 - np.hypot(x, y), 0, 1))


def moved(pixels: Codes, length: float, rng: np.random.Generator) -> Codes:
    """An image blurred along a line of a length in pixels and a random direction."""
    side, angle = math.ceil(length / 2) + 1, rng.uniform(0, math.pi)
    y, x = np.mgrid[-side : side + 1, -side : side + 1]
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return _filtered(pixels, np.clip(length / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1))


def _smooth(plane: Values, sigma: float) -> Values:
    """A plane filtered by a Gaussian, its borders mirrored."""
    reach = math.ceil(3 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for _ in range(2):
        padded = np.pad(plane, ((reach, reach), (0, 0)), mode="reflect")
        plane = sum(weight * padded[n : n + len(plane)] for n, weight in enumerate(weights)).T
    return plane


def _filtered(hr: Codes, kernel: Values) -> Codes:
    """An image filtered by a kernel of odd sides, its borders mirrored."""
    down, across = (side // 2 for side in kernel.shape)
    padded = np.pad(hr.astype(np.float64), ((down, down), (across, across), (0, 0)), mode="reflect")
    height, width = hr.shape[:2]
    total = np.zeros(hr.shape)
    for row, column in np.argwhere(kernel > 0):
        total += kernel[row, column] * padded[row : row + height, column : column + width]
    return to_codes(total / kernel.sum())


KINDS: dict[str, Kind] = {
    "clean": Kind(_clean, strengths=False),
    "web": Kind(_web),
    "phone": Kind(_phone),
    "double": Kind(_double),
    "out-of-focus": Kind(_out_of_focus),
    "motion": Kind(_motion),
    "scan": Kind(_scan),
    "screenshot": Kind(_screenshot),
}
