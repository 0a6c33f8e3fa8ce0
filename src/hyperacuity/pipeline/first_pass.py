"""Properties of a whole image that must be known before its first row is computed.

Integers without alpha need nothing: they are read once, as they come. Floats, alpha and measured images whose ranges
are unknown need a first pass, which holds a few rows at a time; transparent pixels need another one, which keeps the
image's mean colours at a 32nd of its size. So the rows must be readable again: `Strips.rows` that is a list, or another
iterable that restarts each time. Rows that can be read only once (an iterator, such as a generator) are gathered into
memory if a first pass is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, values
from hyperacuity.errors import UsageError
from hyperacuity.image import BandRange, Header, Strips, Survey
from hyperacuity.pipeline.rows import RowRange, block_rows, map_ahead, pixel_pool, regroup


@dataclass(frozen=True)
class Facts:
    """The results of a first pass.

    Attributes:
        range: The range of the colours of a float image, transparent pixels not counted; None for integers.
        survey: The ranges of the bands of a measured image; None for all others.
        constant_alpha: The stored alpha where all pixels have the same; None otherwise.
        transparent: Whether some pixels, but not all, are fully transparent.
        bleed: The colours under them at a 32nd of the size, (bands of `colour.BAND` rows, columns, colours); None
            unless they are needed and known.
    """

    range: BandRange | None = None
    survey: Survey | None = None
    constant_alpha: float | None = None
    transparent: bool = False
    bleed: NDArray[Any] | None = field(default=None, compare=False)

    @property
    def has_valid(self) -> bool:
        """Whether a band of a measured image has a valid value."""
        return self.survey is not None and any(self.survey.ranges)


def rereadable(strips: Strips) -> Strips:
    """Return strips that a first pass can read, if the image needs one: the given strips, or all rows gathered."""
    once = iter(strips.rows) is strips.rows
    return strips.gather().strips() if once and needs_pass(strips.header) else strips


def survey(strips: Strips) -> Facts:
    """Make the first pass over an image, if it needs one.

    Raises:
        UsageError: If a value is NaN or Inf.
        DamagedFile: If there are more or fewer rows than the header says.
    """
    header = strips.header
    if header.measured is not None:
        return Facts(survey=header.measured.survey or _survey_bands(strips))
    if not needs_pass(header):
        return Facts()
    black = header.levels[0]
    floats = header.dtype.kind == "f"
    colour_values = values.RangeFinder(header.dtype) if floats else None
    least_alpha, most_alpha = math.inf, -math.inf
    for block in regroup(strips.rows, block_rows(header.width), header.height):
        if floats and not np.isfinite(block).all():
            raise UsageError("the image contains NaN or Inf; replace these values first")
        colours, alpha = block[..., : header.colours], block[..., header.colours :]
        if colour_values is not None:
            visible = alpha[..., 0] > black if header.alpha else None
            colour_values.add(colours if visible is None or visible.all() else colours[visible])
        if header.alpha:
            least_alpha = min(least_alpha, float(alpha.min()))
            most_alpha = max(most_alpha, float(alpha.max()))
    constant = header.alpha and least_alpha == most_alpha
    transparent = header.alpha and not constant and least_alpha <= black
    return Facts(
        range=colour_values.find() if colour_values is not None else None,
        constant_alpha=least_alpha if constant else None,
        transparent=transparent,
    )


def complete_survey(strips: Strips) -> Facts:
    """Find everything that rows of the result need of the whole image; `strips` must be readable several times.

    Raises:
        UsageError: If a value is NaN or Inf.
        DamagedFile: If there are more or fewer rows than the header says.
    """
    found = survey(strips)
    return replace(found, bleed=hidden_colours(strips, pixel_pool())) if found.transparent else found


def needs_pass(header: Header) -> bool:
    """Returns whether an image needs a first pass at all."""
    if header.measured is not None:
        return header.measured.survey is None and not header.measured.categorical
    return header.alpha or header.dtype.kind == "f"


def _survey_bands(strips: Strips) -> Survey | None:
    header = strips.header
    if not needs_pass(header):
        return None
    blocks = regroup(strips.rows, block_rows(header.width), header.height)
    return values.survey(Strips(header, blocks))


def hidden_colours(strips: Strips, pool: Executor) -> NDArray[Any]:
    """The colours for transparent pixels at a 32nd of the size; reads all rows once."""
    black = strips.header.levels[0]
    bands = regroup(strips.rows, colour.BAND, strips.header.height)
    means = map_ahead(pool, bands, lambda band: colour.band_means(band, band[..., -1] > black))
    return colour.fill_means(list(means))


def opaque_colours(
    header: Header, rows: Iterable[NDArray[Any]], window: RowRange, bleed: NDArray[Any], pool: Executor
) -> Iterator[NDArray[Any]]:
    """Give transparent pixels the colours of the visible ones around them.

    Args:
        header: Of the image.
        rows: Its rows `window`, which begin and end with a band of `colour.BAND` rows (see `whole_bands`).
        window: [first, last).
        bleed: What `hidden_colours` returned.
        pool: The threads.
    """
    black, first = header.levels[0], window[0] // colour.BAND

    def fill(numbered: tuple[int, NDArray[Any]]) -> NDArray[Any]:
        n, band = numbered
        return colour.fill_band(band, band[..., -1] > black, bleed[n])

    bands = regroup(rows, colour.BAND, window[1] - window[0])
    return map_ahead(pool, enumerate(bands, first), fill)


def whole_bands(rows: RowRange, height: int) -> RowRange:
    """Widen rows to whole bands, as `opaque_colours` reads them."""
    return rows[0] // colour.BAND * colour.BAND, min(height, -(-rows[1] // colour.BAND) * colour.BAND)
