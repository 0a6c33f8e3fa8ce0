"""How an image is cut for a network: few, large, equal tiles, each read with a border it does not own.

A network's output pixel depends on input pixels up to `halo` away. A tile that reads that much more on each
side, and keeps only its own part of the result, gives exactly what the whole image would have given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
        """The pixels that all tiles read together: what the network has to compute."""
        return sum(s.last - s.first for s in self.rows) * sum(s.last - s.first for s in self.columns)


def smallest(halo: int, multiple: int) -> int:
    """The pixels that the smallest possible tile reads."""
    return (multiple + 2 * _whole(halo, multiple)) ** 2


def spans(
    length: int, count: int, *, halo: int, multiple: int = 1, part: tuple[int, int] | None = None
) -> tuple[Span, ...]:
    """Cut an axis of `length`, or only [start, stop) = `part` of it, into at most `count` nearly equal spans.

    Each span begins, and begins to read, at a multiple of `multiple`: networks that work in windows then see the
    windows of the whole image. What it reads ends at a multiple too, or at the end of the axis.
    """
    start, stop = part or (0, length)
    units = ceil((stop - start) / multiple)
    count = min(count, units)
    edges = [min(stop, start + units * n // count * multiple) for n in range(count + 1)]
    reach = _whole(halo, multiple)
    return tuple(
        Span(a, b, max(0, a - reach), min(length, _whole(b, multiple) + reach))
        for a, b in zip(edges, edges[1:], strict=False)
    )


def plan(
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
    """The grid over an image, or over its `rows` [start, stop), that reads the fewest pixels within the limits.

    max_pixels: the most a tile may read, halo included: what memory allows.
    max_side: the longest side that a tile may own: what the user asked for.
    max_rows: the most rows that a tile may own: the results of a row of tiles are held together.

    Raises `OutOfMemory` if not even the smallest tile keeps to `max_pixels`.
    """
    start, stop = rows or (0, height)
    tallest = min(limit for limit in (stop - start, max_side, max_rows) if limit is not None)
    widest = min(limit for limit in (width, max_side) if limit is not None)
    best: Grid | None = None
    for count in _counts(_pieces(width, widest, multiple), ceil(width / multiple)):
        columns = spans(width, count, halo=halo, multiple=multiple)
        reads = max(s.last - s.first for s in columns)
        affordable = tallest
        if max_pixels is not None and reads * (stop - start + 2 * halo) > max_pixels:
            affordable = min(tallest, max_pixels // reads - 2 * _whole(halo, multiple))
        if affordable >= min(multiple, tallest):
            cut = _pieces(stop - start, affordable, multiple)
            grid = Grid(spans(height, cut, halo=halo, multiple=multiple, part=(start, stop)), columns)
            if best is not None and grid.read >= best.read:
                break  # from here on, more columns only add halo
            best = grid
    if best is None:
        raise OutOfMemory(
            f"no memory for even the smallest tile ({multiple} x {multiple} pixels and a border of {halo}): "
            "close other programs or take a smaller model"
        )
    return best


def _counts(first: int, last: int) -> Iterator[int]:
    """From `first` to `last` in growing steps, so that planning stays quick for huge images."""
    while first < last:
        yield first
        first += max(1, first // 16)
    yield last


def _pieces(length: int, most: int, multiple: int) -> int:
    """How many spans of whole `multiple`s, none longer than `most` (unless `multiple` is), cover `length`."""
    return ceil(ceil(length / multiple) / max(1, most // multiple))


def _whole(length: int, multiple: int) -> int:
    return ceil(length / multiple) * multiple
