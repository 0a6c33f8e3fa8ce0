"""Small images for the page: before and after, both at the size of the result, at most 4 megapixels."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from hyperacuity import formats
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline
from hyperacuity.server.folders import AFTER, BEFORE

_PIXELS = 4_000_000
_QUALITY = 88


def write(source: Path, result: Path, folder: Path, kind: str) -> None:
    """Write both previews into a folder. One that cannot be made is left out: the result is what counts."""
    with contextlib.suppress(Exception):
        after = _first_frame(result, kind)
        height, width = after.header.height, after.header.width
        share = min(1.0, (_PIXELS / (height * width)) ** 0.5)
        size = max(1, int(height * share)), max(1, int(width * share))
        _write(after, size, folder / AFTER)
        _write(_first_frame(source, kind), size, folder / BEFORE)


def _first_frame(path: Path, kind: str) -> Image:
    if kind != "video":
        with formats.read(path) as opened:
            return next(iter(opened))
    from hyperacuity.formats.video.source import VideoSource
    from hyperacuity.formats.video.timeline import Part
    from hyperacuity.video.images import rgb_frame

    video = VideoSource(path, part=Part(Fraction(0), None))
    first = next(iter(video))
    return Image.from_pixels(rgb_frame(first, video.frame_format))


def _write(image: Image, size: tuple[int, int], path: Path) -> None:
    """An 8-bit JPEG without metadata other than the colour profile."""
    before = image.header.height, image.header.width
    rows = image if size == before else Pipeline([], "bicubic").stream(image, *size).gather()
    black, white = rows.header.levels
    pixels = rows.pixels[..., : rows.header.colours]
    if pixels.dtype != np.uint8 or (black, white) != (0, 255):
        scaled = (np.asarray(pixels, np.float32) - black) / (white - black) * 255
        pixels = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
    plain = Image.from_pixels(pixels)
    with formats.write(path, None, quality=_QUALITY) as sink:
        sink.write(plain.strips())
