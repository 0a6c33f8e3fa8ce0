"""Previews of measurements: two halves on one sheet, with a bar of a round length, and a caption below."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Between the halves, and around the bar and the text, in pixels.
GAP = 8
_MARGIN = 12
# The height of letters: this share of the sheet, but at least this many pixels.
_SHARE, _SMALLEST = 40, 11


class Length(NamedTuple):
    """The length across a pixel, and how a length is written, with its unit."""

    step: float
    name: Callable[[float], str]


def make_sheet(
    before: NDArray[np.uint8], after: NDArray[np.uint8], length: Length | None, names: tuple[str, str], text: str
) -> NDArray[np.uint8]:
    """Return a sheet with two images side by side, a bar in the left one, and a caption below.

    Args:
        before: (H, W, 1 or 3).
        after: The same shape.
        length: For the bar, which is left out if the length is None or impossible.
        names: What made each image.
        text: Figures for the caption.
    """
    height, width, channels = before.shape
    sheet = np.concatenate([before, np.full((height, GAP, channels), 255, np.uint8), after], axis=1)
    size = max(_SMALLEST, height // _SHARE)
    if length is not None and math.isfinite(length.step) and length.step > 0:
        _draw_bar(sheet, width, size, length)
    return np.concatenate([sheet, _caption(sheet.shape[1:], width, size, names, text)])


def _draw_bar(sheet: NDArray[np.uint8], width: int, size: int, length: Length) -> None:
    """Draw a bar of at most a third of the left image, and its length; in place."""
    from PIL import Image, ImageDraw, ImageFont

    whole = round_length(width * length.step / 3)
    grey = sheet.shape[2] == 1
    image = Image.fromarray(sheet[..., 0] if grey else sheet)
    draw = ImageDraw.Draw(image)
    bar = size // 2
    bottom, right = sheet.shape[0] - _MARGIN, _MARGIN + round(whole / length.step)
    white, black = (255, 0) if grey else ((255, 255, 255), (0, 0, 0))
    draw.rectangle((_MARGIN - 1, bottom - bar - 1, right + 1, bottom + 1), fill=black)
    draw.rectangle((_MARGIN, bottom - bar, right, bottom), fill=white)
    place, font = (_MARGIN, bottom - bar - 4), ImageFont.load_default(size)
    draw.text(place, length.name(whole), white, font, anchor="ls", stroke_fill=black, stroke_width=max(1, size // 12))
    sheet[:] = np.asarray(image)[..., None] if grey else np.asarray(image)


def _caption(shape: Sequence[int], half: int, size: int, names: tuple[str, str], text: str) -> NDArray[np.uint8]:
    """Black text on white, as wide as the sheet."""
    from PIL import Image, ImageDraw, ImageFont

    width, channels = shape
    font: Any = ImageFont.load_default(size)
    lines = list(_wrapped(text, lambda line: float(font.getlength(line)) <= width - 2 * GAP))
    step = math.ceil(size * 1.4)
    image = Image.new("L", (width, step * (len(lines) + 1) + GAP), 255)
    draw = ImageDraw.Draw(image)
    for left, name in zip((GAP, half + 2 * GAP), names, strict=True):
        draw.text((left, step), name, 0, font, anchor="ls")
    for number, line in enumerate(lines, 2):
        draw.text((GAP, number * step), line, 0, font, anchor="ls")
    return np.repeat(np.asarray(image)[..., None], channels, axis=2)


def _wrapped(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """Lines of a text, each of which fits if a single word does."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and not fits(longer):
            yield line
            longer = word
        line = longer
    if line:
        yield line


def round_length(most: float) -> float:
    """Return the greatest of 1, 2 and 5 times a power of ten that is at most `most`.

    Example:
        >>> round_length(1234.0)
        1000.0
    """
    power = 10.0 ** math.floor(math.log10(most))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= most)
