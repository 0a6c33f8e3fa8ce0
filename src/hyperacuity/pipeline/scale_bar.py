"""Previews of measurements: two halves on one sheet, with a bar of a round length."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Between the halves, around the bar, and the bar's height, in pixels.
GAP = 8
_MARGIN, _BAR = 12, 5


def draw_bar(sheet: NDArray[np.uint8], width: int, step: float, name: Callable[[float], str]) -> None:
    """Draw a bar of a round length, and the length, into the left half; in place.

    Args:
        sheet: (H, W, 1 or 3).
        width: Of the left half, in pixels; the bar takes a third of it at most.
        step: The length across a pixel.
        name: Writes a length with its unit.
    """
    from PIL import Image, ImageDraw

    length = round_length(width * step / 3)
    grey = sheet.shape[2] == 1
    image = Image.fromarray(sheet[..., 0] if grey else sheet)
    draw = ImageDraw.Draw(image)
    bottom, right = sheet.shape[0] - _MARGIN, _MARGIN + round(length / step)
    white, black = (255, 0) if grey else ((255, 255, 255), (0, 0, 0))
    draw.rectangle((_MARGIN - 1, bottom - _BAR - 1, right + 1, bottom + 1), fill=black)
    draw.rectangle((_MARGIN, bottom - _BAR, right, bottom), fill=white)
    place = (_MARGIN, bottom - _BAR - 4)
    draw.text(place, name(length), fill=white, stroke_fill=black, stroke_width=1, anchor="ls")
    sheet[:] = np.asarray(image)[..., None] if grey else np.asarray(image)


def round_length(most: float) -> float:
    """Return the greatest of 1, 2 and 5 times a power of ten that is at most `most`.

    Example:
        >>> round_length(1234.0)
        1000.0
    """
    power = 10.0 ** math.floor(math.log10(most))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= most)
