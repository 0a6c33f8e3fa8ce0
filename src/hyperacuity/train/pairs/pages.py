"""Pages of text, boxes and buttons in random colours, as on a screen: what a network needs to restore screenshots."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperacuity.datasets import Pixels8

if TYPE_CHECKING:
    import PIL.ImageDraw

FONTS = Path("/usr/share/fonts/truetype")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?-+()/%&@# eeeaaaiiooonnttrrss      "


def page_of_text(rng: np.random.Generator, side: int) -> Pixels8:
    """Draw a page at twice its size and halve it.

    Args:
        rng: The source of all that is random; the letters also depend on the fonts that are installed.
        side: Pixels of a side.

    Returns:
        (side, side, 3).
    """
    import PIL.Image
    import PIL.ImageDraw

    dark = rng.random() < 0.35
    paper = rng.integers(0, 60, 3) if dark else rng.integers(200, 256, 3)
    page = PIL.Image.new("RGB", (2 * side, 2 * side), _colour(paper))
    draw = PIL.ImageDraw.Draw(page)
    for _ in range(int(rng.integers(0, 7))):
        _draw_shape(draw, rng, side)
    y = int(rng.integers(-40, 20))
    while y < 2 * side:
        y = _draw_lines(draw, rng, side, y, dark=dark)
    return np.asarray(page.resize((side, side), PIL.Image.Resampling.BOX))


def _draw_shape(draw: PIL.ImageDraw.ImageDraw, rng: np.random.Generator, side: int) -> None:
    """Draw an ellipse or a box with square or round corners, filled or not."""
    x, y = (int(v) for v in rng.integers(-100, 2 * side, 2))
    width, height = (int(v) for v in rng.integers(20, max(21, side), 2))
    fill = _colour(rng.integers(0, 256, 3))
    shape = int(rng.integers(3))
    inside, edge = fill if rng.random() < 0.6 else None, int(rng.integers(2, 12))
    place = (x, y, x + width, y + height)
    if shape == 1:
        draw.ellipse(place, fill=inside, outline=fill, width=edge)
    else:
        draw.rounded_rectangle(place, 12 * shape, fill=inside, outline=fill, width=edge)


def _draw_lines(draw: PIL.ImageDraw.ImageDraw, rng: np.random.Generator, side: int, y: int, *, dark: bool) -> int:
    """Draw one to three lines of one font, and return where the next begin."""
    import PIL.ImageFont

    size = int(np.exp(rng.uniform(np.log(40), np.log(180))))
    fonts = _fonts()
    path = fonts[int(rng.integers(len(fonts)))] if fonts else None
    font: Any = PIL.ImageFont.truetype(path, size) if path else PIL.ImageFont.load_default(size)
    line = "".join(LETTERS[int(k)] for k in rng.integers(0, len(LETTERS), int(3 * side / size) + 4))
    ink = _colour(rng.integers(140, 256, 3) if dark else rng.integers(0, 130, 3))
    for _ in range(int(rng.integers(1, 4))):
        draw.text((int(rng.integers(-60, 60)), y), line, font=font, fill=ink)
        y += int(size * 1.3)
        line = line[1:] + line[:1]
    return y + int(rng.integers(0, 60))


def _colour(codes: Any) -> tuple[int, int, int]:
    red, green, blue = (int(code) for code in codes)
    return red, green, blue


@functools.cache
def _fonts() -> list[str]:
    return sorted(str(path) for path in FONTS.rglob("*.ttf") if "Math" not in path.name)
