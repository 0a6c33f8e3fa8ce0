"""Cuts an image for a network into few, large, equal tiles, each read with a border that it does not own.

A network's output pixel depends on input pixels up to `halo` away. A tile that reads this much more on each side, and
keeps only its own part of the result, gives exactly the result of the whole image. `pipeline.tile_budget` decides how
large tiles may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from hyperacuity.errors import OutOfMemory


@dataclass(frozen=True)
class Span:
    """A stretch of one axis: a tile owns [start, stop) and reads [first, last), in pixels of the input."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Grid:
    """The tiles of an image: every pair of a row span and a column span."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def largest(self) -> int:
        """The most pixels that a tile reads."""
        return max(s.last - s.first for s in self.rows) * max(s.last - s.first for s in self.columns)

    @property
    def read(self) -> int:
        """The pixels that the tiles read together: what the network has to compute."""
        return sum(s.last - s.first for s in self.rows) * sum(s.last - s.first for s in self.columns)


def smallest(halo: int, multiple: int) -> int:
    """Return the number of pixels that the smallest possible tile reads."""
    return (multiple + 2 * _whole(halo, multiple)) ** 2


def spans(
    length: int, count: int, *, halo: int, multiple: int = 1, part: tuple[int, int] | None = None
) -> tuple[Span, ...]:
    """Cut an axis into nearly equal spans.

    Each span begins, and begins to read, at a multiple of `multiple` (if `part` does): networks that work in windows
    then see the windows of the whole image. What it reads ends at a multiple too, or at the end of the axis.

    Args:
        length: Of the axis, in pixels.
        count: The most spans.
        halo: How many pixels more each span reads on both sides, rounded up to whole multiples.
        multiple: In pixels.
        part: Only cut [start, stop) of the axis.

    Example:
        >>> spans(10, 2, halo=1)
        (Span(start=0, stop=5, first=0, last=6), Span(start=5, stop=10, first=4, last=10))
    """
    start, stop = part or (0, length)
    units = ceil((stop - start) / multiple)
    count = min(count, units)
    edges = [min(stop, start + units * n // count * multiple) for n in range(count + 1)]
    reach = _whole(halo, multiple)
    return tuple(Span(a, b, max(0, a - reach), min(length, _whole(b, multiple) + reach)) for a, b in pairwise(edges))


def make_grid(
    height: int,
    width: int,
    *,
    halo: int,
    multiple: int = 1,
    max_pixels: int | None = None,
    max_side: int | None = None,
    max_rows: int | None = None,
    rows: tuple[int, int] | None = None,
) -> Grid:
    """Find the grid over an image, or over some of its rows, that reads nearly the fewest pixels within the limits.

    Args:
        height: Of the image, in pixels.
        width: Likewise.
        halo: How many pixels away an output pixel of the network depends on the input.
        multiple: The sides of the network's input are multiples of this.
        max_pixels: The most pixels that a tile may read, halo included: what memory allows.
        max_side: The longest side that a tile may own: what the user asked for.
        max_rows: The most rows that a tile may own: the results of a row of tiles are held together.
        rows: Only cover [start, stop), which begins at a multiple of `multiple` and ends at one or with the image.

    Raises:
        OutOfMemory: If even the smallest tile exceeds `max_pixels`.
    """
    down = _Axis(height, *(rows or (0, height)), _whole(halo, multiple), multiple)
    across = _Axis(width, 0, width, _whole(halo, multiple), multiple)
    fewest = down.pieces(min((limit for limit in (max_side, max_rows) if limit is not None), default=height))
    best: tuple[float, int, int] | None = None
    for columns in _counts(across.pieces(max_side or width), across.units):
        if best is not None and down.read(fewest) * across.read(columns) >= best[0]:
            break  # from here on, more columns only add halo
        most = height if max_pixels is None else max_pixels // across.longest(columns)
        # Few spans lie at the ends of the image and read less; of many, most read the halo on both sides.
        for count in (fewest, fewest + 1, fewest + 2, down.pieces(most - 2 * down.reach)):
            if count >= fewest and down.longest(count) <= most:
                # Several columns have to be joined, which takes longer than reading a little more.
                cost = down.read(count) * across.read(columns) * (1 if columns == 1 else 1.02)
                best = min(best or (cost, count, columns), (cost, count, columns))
                break
    if best is None:
        raise OutOfMemory(
            f"not enough memory for even the smallest tile ({multiple} x {multiple} pixels and a border of {halo}); "
            "close other programs or use a smaller model"
        )
    return Grid(
        spans(height, best[1], halo=halo, multiple=multiple, part=rows),
        spans(width, best[2], halo=halo, multiple=multiple),
    )


@dataclass(frozen=True)
class _Axis:
    """What cutting [start, stop) of an axis into a number of spans costs, computed without making them."""

    length: int
    start: int
    stop: int
    reach: int
    multiple: int

    @property
    def units(self) -> int:
        return ceil((self.stop - self.start) / self.multiple)

    @property
    def around(self) -> tuple[int, int]:
        """The border that is read on both sides."""
        return min(self.reach, self.start), min(self.reach, self.length - self.stop)

    @property
    def whole(self) -> int:
        """The length that is read in one piece."""
        return self.stop - self.start + sum(self.around)

    def longest(self, count: int) -> int:
        """The length of the longest of `count` spans, as read."""
        own = ceil(self.units / count) * self.multiple
        return min(self.whole, own + (2 * self.reach if count > 2 else self.reach + max(self.around)))

    def read(self, count: int) -> int:
        """The sum of what `count` spans read."""
        return min(self.whole * count, self.whole + 2 * self.reach * (count - 1))

    def pieces(self, most: int) -> int:
        """The number of spans that cover the axis, none longer than `most` (or than `multiple`)."""
        if self.stop - self.start <= most:
            return 1
        return ceil(self.units / max(1, most // self.multiple))


def _counts(first: int, last: int) -> Iterator[int]:
    """From `first` to `last` in growing steps, so that huge images are planned quickly."""
    while first < last:
        yield first
        first += max(1, first // 16)
    yield last


def _whole(length: int, multiple: int) -> int:
    return ceil(length / multiple) * multiple
