"""An error map as a colour image: a perceptually uniform colour map, and a legend below."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Errors in grey levels at the marks of the legend, which are evenly spaced; the scale between them is logarithmic.
MARKS = (1, 2, 4, 8, 16, 32)
# The colours at even steps, from Viridis: lightness rises evenly, and colour-blind readers see the same order.
# Source: van der Walt, Smith: "A Better Default Colormap for Matplotlib", SciPy 2015; values CC0.
_COLOURS = (
    (68, 1, 84),
    (72, 40, 120),
    (62, 74, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (109, 205, 89),
    (180, 222, 44),
    (253, 231, 37),
)
_GLYPHS = {
    "0": (7, 5, 5, 5, 7),
    "1": (2, 6, 2, 2, 7),
    "2": (7, 1, 7, 4, 7),
    "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1),
    "6": (7, 4, 7, 5, 7),
    "8": (7, 5, 7, 5, 7),
    "A": (2, 5, 7, 5, 5),
    "C": (7, 4, 4, 4, 7),
    "E": (7, 4, 7, 4, 7),
    "F": (7, 4, 7, 4, 4),
    "I": (7, 2, 2, 2, 7),
    "L": (4, 4, 4, 4, 7),
    "N": (6, 5, 5, 5, 5),
    "O": (7, 5, 5, 5, 7),
    "P": (7, 5, 7, 4, 4),
    "R": (7, 5, 6, 5, 5),
    "T": (7, 2, 2, 2, 2),
    "U": (5, 5, 5, 5, 7),
    "V": (5, 5, 5, 5, 2),
    "D": (6, 5, 5, 5, 6),
    "Y": (5, 5, 2, 2, 2),
    " ": (0, 0, 0, 0, 0),
}
# What the legend says where the input has noise, blur or compression.
_WARNING = "VALID FOR CLEAN INPUT ONLY"
_BAR = 12


def coloured(errors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (h, W, 3) colours for errors (h, W) in grey levels: dark for the smallest, light for the largest."""
    span = np.log2(MARKS[-1] / MARKS[0])
    place = np.clip(np.log2(np.maximum(errors, 1e-3) / MARKS[0]) / span, 0, 1) * (len(_COLOURS) - 1)
    steps = np.arange(len(_COLOURS))
    planes = [np.interp(place, steps, [colour[channel] for colour in _COLOURS]) for channel in range(3)]
    result: NDArray[np.uint8] = np.rint(np.stack(planes, -1)).astype(np.uint8)
    return result


def legend(width: int, *, dirty: bool = False) -> NDArray[np.uint8]:
    """Return the legend as rows (h, width, 3): a bar of all colours, and the marks in grey levels under it.

    Args:
        width: Of the map, in pixels.
        dirty: Whether the input is not clean, so that the errors may be larger; a line of text then says so.
    """
    factor = 2 if width >= 160 else 1
    exponents = np.linspace(0, np.log2(MARKS[-1]), max(1, width), dtype=np.float32)
    bar = np.repeat(coloured(np.exp2(exponents)[None]), _BAR * factor, 0)
    text = np.zeros((9 * factor, width, 3), np.uint8)
    for number, mark in enumerate(MARKS):
        label = _written(str(mark), factor)
        middle = round(number / (len(MARKS) - 1) * (width - 1)) - label.shape[1] // 2
        left = max(0, min(width - label.shape[1], middle))
        if label.shape[1] <= width:
            text[2 * factor : 7 * factor, left : left + label.shape[1]] = (label * 255).astype(np.uint8)[..., None]
    if not dirty:
        return np.concatenate([bar, text])
    warning = np.zeros((9 * factor, width, 3), np.uint8)
    label = _written(_WARNING, factor if width >= 4 * factor * len(_WARNING) else 1)[:, :width]
    warning[2 * factor : 2 * factor + len(label), : label.shape[1]] = (label * 255).astype(np.uint8)[..., None]
    return np.concatenate([bar, text, warning])


def _written(text: str, factor: int) -> NDArray[np.float64]:
    """Text as rows of 0 and 1, each pixel of a glyph repeated."""
    glyphs = [np.array([[row >> 2 & 1, row >> 1 & 1, row & 1] for row in _GLYPHS[letter]]) for letter in text]
    label = np.concatenate([np.pad(glyph, ((0, 0), (0, 1))) for glyph in glyphs], 1)
    return np.kron(label, np.ones((factor, factor)))


def coloured_rows(
    rows: Iterator[NDArray[np.float32]], width: int, *, dirty: bool = False
) -> Iterator[NDArray[np.uint8]]:
    """Yields the rows of a map as colours, then the legend."""
    for block in rows:
        yield coloured(block)
    yield legend(width, dirty=dirty)
