"""Properties of a whole image that must be known before its first row is computed.

Integers without alpha need nothing: they are read once, as they come. Floats and alpha need a first pass, which holds a
few rows at a time; transparent pixels need another one, which keeps the image's mean colours at a 32nd of its size. So
the rows must be readable again: `Strips.rows` that is a list, or another iterable that restarts each time. Rows that
can be read only once (an iterator, such as a generator) are gathered into memory if a first pass is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour
from hyperacuity.errors import UsageError
from hyperacuity.image import Header, Strips
from hyperacuity.pipeline.rows import block_rows, map_ahead, regroup


@dataclass(frozen=True)
class Facts:
    """The results of a first pass.

    Attributes:
        least_colour: The least value of a colour, stored, transparent pixels not counted; None for integers.
        constant_alpha: The stored alpha where all pixels have the same; None otherwise.
        transparent: Whether some pixels, but not all, are fully transparent.
    """

    least_colour: float | None = None
    constant_alpha: float | None = None
    transparent: bool = False


def rereadable(strips: Strips) -> Strips:
    """Return strips that a first pass can read, if the image needs one: the given strips, or all rows gathered."""
    once = iter(strips.rows) is strips.rows
    return strips.gather().strips() if once and _needs_pass(strips.header) else strips


def survey(strips: Strips) -> Facts:
    """Make the first pass over an image, if it needs one.

    Raises:
        UsageError: If a value is NaN or Inf.
        DamagedFile: If there are more or fewer rows than the header says.
    """
    header = strips.header
    if not _needs_pass(header):
        return Facts()
    black = header.levels[0]
    floats = header.dtype.kind == "f"
    least = least_visible = least_alpha = math.inf
    most_alpha = -math.inf
    for block in regroup(strips.rows, block_rows(header.width), header.height):
        if floats and not np.isfinite(block).all():
            raise UsageError("the image contains NaN or Inf; replace these values first")
        colours, alpha = block[..., : header.colours], block[..., header.colours :]
        if floats:
            least = min(least, float(colours.min()))
        if header.alpha:
            least_alpha = min(least_alpha, float(alpha.min()))
            most_alpha = max(most_alpha, float(alpha.max()))
        if header.alpha and floats:
            least_visible = min(least_visible, float(colours.min(initial=np.inf, where=alpha > black)))
    constant = header.alpha and least_alpha == most_alpha
    transparent = header.alpha and not constant and least_alpha <= black
    return Facts(
        least_colour=(least_visible if transparent else least) if floats else None,
        constant_alpha=least_alpha if constant else None,
        transparent=transparent,
    )


def _needs_pass(header: Header) -> bool:
    return header.alpha or header.dtype.kind == "f"


def opaque_colours(strips: Strips, pool: Executor) -> Iterator[NDArray[Any]]:
    """Give transparent pixels the colours of the visible ones around them, in bands of rows; reads the rows twice."""
    black = strips.header.levels[0]

    def bands() -> Iterator[NDArray[Any]]:
        return regroup(strips.rows, colour.BAND, strips.header.height)

    def fill(numbered: tuple[int, NDArray[Any]]) -> NDArray[Any]:
        n, band = numbered
        return colour.fill_band(band, band[..., -1] > black, coarse[n])

    means = map_ahead(pool, bands(), lambda band: colour.band_means(band, band[..., -1] > black))
    coarse = colour.fill_means(list(means))
    return map_ahead(pool, enumerate(bands()), fill)
