"""Images of all kinds that people have, made by seed, with the model that a person would take for each.

Sources are Kodak24 and photos under free licences of ../shared/data/train (which no threshold was set by), both made
smaller where they are JPEG files, so that nothing but the fault of the kind is in them. `choices.py` uses them.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from choice_drawings import drawing, fabric, icon, interface, page, sky
from numpy.typing import NDArray
from photo_degradations import defocused, moved, to_codes
from PIL import Image, ImageFilter

from hyperacuity.resize import resize

SHARED = Path(__file__).parents[2] / "shared/data"
Codes = NDArray[np.uint8]
Made = Codes | NDArray[np.uint16] | bytes
Random = np.random.Generator
# For each kind, half of the images chose the thresholds, the other half of them judges: from other sources.
EACH = 6


@dataclass(frozen=True)
class Kind:
    """One kind of image.

    Attributes:
        make: Makes an array or the bytes of a file of a source image and a source of randomness.
        wanted: What a person would take: "default", "photo" or "either".
        sources: The name of the source images, a key of `sources`.
    """

    make: Callable[[Codes, Random], Made]
    wanted: str = "photo"
    sources: str = "photo"


def make(kind: str, number: int) -> Made:
    """Make image `number`, from 0 to `EACH` - 1, of a kind; even numbers are for choosing thresholds."""
    one = KINDS[kind]
    rng = np.random.default_rng([list(KINDS).index(kind), number])
    paths = sources(one.sources)[number % 2 :: 2]
    path = paths[(5 * list(KINDS).index(kind) + number // 2) % len(paths)]
    return one.make(_source(path), rng)


@functools.cache
def sources(group: str) -> Sequence[Path]:
    """Returns the files of a group."""
    train = SHARED / "train"
    if group == "kodak":
        return sorted((SHARED / "validation/Kodak24").rglob("*.png"))
    if group == "photo":
        wide = sorted((train / "photos-more").glob("*-1.jpg"))[:20]  # one window of each original
        every = zip(sources("kodak")[::2], sources("kodak")[1::2], wide[::2], wide[1::2], strict=False)
        return [path for four in every for path in four]
    return sorted((train / "photos").glob(f"{group}-*.jpg"))


def _source(path: Path) -> Codes:
    pixels = np.asarray(Image.open(path).convert("RGB"))
    if path.suffix == ".png":
        return pixels
    small: Codes = resize(pixels, size=(pixels.shape[0] * 2 // 3, pixels.shape[1] * 2 // 3))
    return small


def saved(pixels: Codes | Image.Image, name: str, **options: Any) -> bytes:
    """Returns the bytes of a file."""
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def opened(data: bytes) -> Codes:
    """Returns the pixels of a file."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def _jpeg(quality: int) -> Callable[[Codes, Random], bytes]:
    return lambda pixels, rng: saved(pixels, "JPEG", quality=quality)


def _as_it_is(pixels: Codes, rng: Random) -> Codes:
    return pixels


def _small(pixels: Codes, factor: float) -> Codes:
    small: Codes = resize(pixels, size=(round(pixels.shape[0] / factor), round(pixels.shape[1] / factor)))
    return small


def _large(pixels: Codes, factor: float, kernel: int) -> Codes:
    """Made small and as large as before, so that sides stay."""
    small = Image.fromarray(_small(pixels, factor))
    return np.asarray(small.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling(kernel)))


def smooth_noise(shape: tuple[int, ...], sigma: float, rng: Random) -> NDArray[np.float64]:
    """White noise filtered by a Gaussian, of deviation 1."""
    planes = rng.normal(size=(*shape, 1)[:3])
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))[..., None]
    passed = np.exp(-2 * (math.pi * sigma * frequency) ** 2)
    smooth = np.fft.irfft2(np.fft.rfft2(planes, axes=(0, 1)) * passed, s=shape[:2], axes=(0, 1))
    found: NDArray[np.float64] = smooth / smooth.std()
    return found


def _phone(deviation: float, quality: int) -> Callable[[Codes, Random], bytes]:
    """Noise smoothed by demosaicing, sharpened, one good JPEG."""

    def made(pixels: Codes, rng: Random) -> bytes:
        noisy = to_codes(pixels + smooth_noise(pixels.shape, 0.5, rng) * deviation)
        sharp = Image.fromarray(noisy).filter(ImageFilter.UnsharpMask(1, 60, 0))
        return saved(sharp, "JPEG", quality=quality)

    return made


def _night(pixels: Codes, rng: Random) -> bytes:
    light = (pixels / 255) ** 2.2 * 30  # few photons
    seen = np.clip((rng.poisson(light * 8) / 8 + rng.normal(size=pixels.shape) * 0.5) / 30, 0, 1)
    return saved(to_codes(seen ** (1 / 2.2) * 180), "JPEG", quality=92)


def _grain(pixels: Codes, rng: Random) -> bytes:
    grey = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    grained = to_codes(grey + smooth_noise((*grey.shape[:2], 1), 0.6, rng) * rng.uniform(7, 12))[..., 0]
    return saved(grained, "JPEG", quality=92) if rng.random() < 0.5 else saved(grained, "PNG")


def _scan(pixels: Codes, rng: Random) -> bytes:
    """A print: faded, soft, with grain, dust and scratches."""
    height, width = pixels.shape[:2]
    soft = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.7))) * 0.75 + 35
    soft = soft + smooth_noise((height, width, 1), 0.7, rng) * rng.uniform(4, 8)
    for _ in range(60):
        y, x = rng.integers(0, height - 4), rng.integers(0, width - 4)
        soft[y : y + rng.integers(1, 4), x : x + rng.integers(1, 4)] = rng.choice([40, 235])
    return saved(to_codes(soft), "JPEG", quality=85)


def _halftone(pixels: Codes, rng: Random) -> bytes:
    """Dots of cyan, magenta and yellow, each screen turned by its own angle, seen by a scanner."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    period, channels = rng.uniform(3.5, 6), []
    for channel, angle in enumerate((0.26, 1.31, 0)):
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        screen = (np.cos(2 * math.pi * u / period) + np.cos(2 * math.pi * v / period)) / 4 + 0.5
        channels.append(np.clip((pixels[..., channel] / 255 - screen) * 4 + 0.5, 0, 1) * 215 + 20)
    soft = Image.fromarray(to_codes(np.stack(channels, -1))).filter(ImageFilter.GaussianBlur(0.7))
    return saved(soft, "JPEG", quality=88)


def _shallow(pixels: Codes, rng: Random) -> bytes:
    """A sharp subject before a blurred background, as portraits have it."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    away = np.hypot((y - height / 2) / (height * 0.3), (x - width / 2) / (width * 0.25))
    share = np.clip((away - 1) * 4, 0, 1)[..., None]
    blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(5)))
    return saved(to_codes(pixels * (1 - share) + blurred * share), "JPEG", quality=95)


def _deep(pixels: Codes, rng: Random) -> bytes:
    """A TIFF of 16 bits: made smaller by 2 without rounding to 8 bits."""
    import pyvips

    small = resize(pixels.astype(np.float32) / 255, scale=0.5)
    return bytes(pyvips.Image.new_from_array((np.clip(small, 0, 1) * 65535).astype(np.uint16)).tiffsave_buffer())


def _cut_out(pixels: Codes, rng: Random) -> bytes:
    """An object on transparency, with noise in colours that are invisible."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    alpha = to_codes(np.clip(1.2 - np.hypot((y / height - 0.5) * 2, (x / width - 0.5) * 2), 0, 0.05) * 20 * 255)
    hidden = np.where(alpha[..., None] > 0, pixels, rng.integers(0, 256, pixels.shape, np.uint8))
    return saved(np.dstack([hidden, alpha]), "PNG")


def _cropped(pixels: Codes, quality: int) -> Codes:
    return np.ascontiguousarray(opened(saved(pixels, "JPEG", quality=quality))[3:, 5:])


def _fog(pixels: Codes, rng: Random) -> Codes:
    return to_codes(pixels * 0.3 + 140)


def _texture(side: int) -> Callable[[Codes, Random], Codes]:
    def made(pixels: Codes, rng: Random) -> Codes:
        if min(pixels.shape[:2]) < side:
            return pixels
        top, left = (int(rng.integers(0, length - side + 1)) for length in pixels.shape[:2])
        return np.ascontiguousarray(pixels[top : top + side, left : left + side])

    return made


def _cmyk(quality: int) -> Callable[[Codes, Random], bytes]:
    return lambda pixels, rng: saved(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=quality)


BILINEAR, BICUBIC, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.NEAREST
KINDS: dict[str, Kind] = {
    "lossless": Kind(_as_it_is, "default"),
    "made small by 3": Kind(lambda pixels, rng: _small(pixels, 3), "default"),
    "camera, JPEG 95": Kind(_jpeg(95), "default"),
    "website, JPEG 90": Kind(_jpeg(90), "default"),
    "website, JPEG 85": Kind(_jpeg(85), "either"),
    "people, JPEG 96": Kind(_jpeg(96), "default", "people"),
    "shallow depth of field": Kind(_shallow, "default"),
    "fog": Kind(_fog, "default"),
    "phone, faint noise": Kind(_phone(1.5, 92), "either"),
    "phone, noise": Kind(_phone(5, 90)),
    "phone, strong noise": Kind(_phone(10, 90)),
    "night, strong noise": Kind(_night),
    "night, clean": Kind(_jpeg(95), "default", "night"),
    "interior": Kind(_as_it_is, "default", "interior"),
    "messenger, JPEG 75": Kind(lambda pixels, rng: saved(_small(pixels, 1.3), "JPEG", quality=75)),
    "JPEG 40": Kind(_jpeg(40)),
    "small JPEG 40": Kind(lambda pixels, rng: saved(_small(pixels, 4), "JPEG", quality=40)),
    "PNG of JPEG 40": Kind(lambda pixels, rng: opened(saved(pixels, "JPEG", quality=40))),
    "PNG of JPEG 60, cropped": Kind(lambda pixels, rng: _cropped(pixels, 60)),
    "PNG of JPEG 40, smaller": Kind(lambda pixels, rng: _small(opened(saved(pixels, "JPEG", quality=40)), 1.25)),
    "PNG of JPEG 30, larger": Kind(lambda pixels, rng: _small(opened(saved(pixels, "JPEG", quality=30)), 0.75)),
    "JPEG 95 of JPEG 40, cropped": Kind(lambda pixels, rng: saved(_cropped(pixels, 40), "JPEG", quality=95)),
    "JPEG 93 of JPEG 50": Kind(
        lambda pixels, rng: saved(opened(saved(pixels, "JPEG", quality=50)), "JPEG", quality=93)
    ),
    "WebP 50": Kind(lambda pixels, rng: saved(pixels, "WEBP", quality=50)),
    "WebP 80": Kind(lambda pixels, rng: saved(pixels, "WEBP", quality=80), "default"),
    "PNG of WebP 30": Kind(lambda pixels, rng: opened(saved(pixels, "WEBP", quality=30))),
    "AVIF 40": Kind(lambda pixels, rng: saved(pixels, "AVIF", quality=40)),
    "AVIF 80": Kind(lambda pixels, rng: saved(pixels, "AVIF", quality=80), "default"),
    "HEIC 80": Kind(lambda pixels, rng: saved(pixels, "HEIF", quality=80), "default"),
    "HEIC 25": Kind(lambda pixels, rng: saved(pixels, "HEIF", quality=25)),
    "enlarged by 2, bilinear": Kind(lambda pixels, rng: _large(pixels, 2, BILINEAR)),
    "enlarged by 2, bicubic": Kind(lambda pixels, rng: _large(pixels, 2, BICUBIC)),
    "enlarged by 3, JPEG 95": Kind(lambda pixels, rng: saved(_large(pixels, 3, BICUBIC), "JPEG", quality=95)),
    "enlarged by 2, pixels": Kind(lambda pixels, rng: _large(pixels, 2, NEAREST), "either"),
    "out of focus by 2": Kind(lambda pixels, rng: saved(defocused(pixels, 2), "JPEG", quality=93)),
    "out of focus by 4": Kind(lambda pixels, rng: saved(defocused(pixels, 4), "JPEG", quality=93)),
    "moved by 4": Kind(lambda pixels, rng: saved(moved(pixels, 4, rng), "JPEG", quality=93)),
    "moved by 15": Kind(lambda pixels, rng: saved(moved(pixels, 15, rng), "JPEG", quality=93)),
    "scan of a print": Kind(_scan),
    "scan of a halftone print": Kind(_halftone),
    "black and white, grain": Kind(_grain),
    "black and white, clean": Kind(
        lambda pixels, rng: saved(Image.fromarray(pixels).convert("L"), "JPEG", quality=95), "default"
    ),
    "TIFF of 16 bits": Kind(_deep, "default"),
    "CMYK, JPEG 95": Kind(_cmyk(95), "default"),
    "CMYK, JPEG 50": Kind(_cmyk(50)),
    "cut-out on transparency": Kind(_cut_out, "default"),
    "texture": Kind(_as_it_is, "default", "texture"),
    "texture, small": Kind(_texture(160), "default", "texture"),
    "landscape, small": Kind(lambda pixels, rng: _small(pixels, 2.5), "default", "landscape"),
    "fabric, drawn": Kind(lambda pixels, rng: fabric(rng), "default"),
    "sky": Kind(lambda pixels, rng: sky(rng), "default"),
    "sky, JPEG 60": Kind(lambda pixels, rng: saved(sky(rng), "JPEG", quality=60)),
    "screenshot": Kind(lambda pixels, rng: saved(interface(rng, pixels), "PNG"), "default"),
    "screenshot, JPEG 60": Kind(lambda pixels, rng: saved(interface(rng, pixels), "JPEG", quality=60)),
    "PNG of a screenshot, JPEG 50": Kind(lambda pixels, rng: opened(saved(interface(rng, pixels), "JPEG", quality=50))),
    "page": Kind(lambda pixels, rng: saved(page(rng), "PNG"), "default"),
    "page, scanned": Kind(
        lambda pixels, rng: saved(to_codes(page(rng) * 0.85 + 15 + 5 * rng.normal(size=(640, 480))), "JPEG", quality=80)
    ),
    "drawing": Kind(lambda pixels, rng: drawing(rng), "default"),
    "drawing, JPEG 50": Kind(lambda pixels, rng: saved(drawing(rng), "JPEG", quality=50)),
    "PNG of a drawing, JPEG 50": Kind(lambda pixels, rng: opened(saved(drawing(rng), "JPEG", quality=50))),
    "painting": Kind(_as_it_is, "default", "drawn"),
    "icon": Kind(lambda pixels, rng: saved(icon(rng), "PNG"), "default"),
}
