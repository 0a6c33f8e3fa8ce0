"""What does not go through networks: values beyond their range, and pixels without a measurement.

Values beyond the range are cut off before the first network. The rest, by which they exceed it, is enlarged by bicubic
and added to the result. Invalid pixels are filled from valid ones before anything filters them, and come back by
nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import values
from hyperacuity.image import Header, Strips, Survey
from hyperacuity.pipeline.codes import Codes
from hyperacuity.pipeline.first_pass import Facts
from hyperacuity.pipeline.planes import Planes
from hyperacuity.pipeline.rows import ResizeStep, RowReader, RowRoute, block_rows, fork, map_ahead, regroup
from hyperacuity.pipeline.texture import TextureLimit
from hyperacuity.resize import taps

Rows = NDArray[Any]


def copy_nearest(source: Strips, height: int, width: int) -> Iterator[Rows]:
    """Enlarge stored values by nearest, or return them as they are if the size stays the same."""
    header = source.header
    blocks = regroup(source.rows, block_rows(header.width), header.height)
    if (height, width) == (header.height, header.width):
        yield from blocks
        return
    nearest = _Nearest(blocks, header, (height, width))
    step = block_rows(width)
    for top in range(0, height, step):
        yield nearest.read(top, min(height, top + step))
    for _ in blocks:  # surplus rows must raise
        pass


def stream(
    header: Header,
    rows: Iterable[Rows],
    found: Facts,
    codes: Codes,
    route: RowRoute,
    size: tuple[int, int],
    pool: Executor,
) -> Iterator[Rows]:
    """Run the steps over an image with values beyond the range, or with measured values.

    Args:
        header: Of the image.
        rows: Its rows as stored, (h, W, channels), in blocks.
        found: Its ranges, and whether it has invalid pixels.
        codes: Its codes.
        route: What planes go through, at least one step, and which rows are read and made; all of them where the image
            is measured.
        size: (height, width) of the result.
        pool: Threads for work around the networks.

    Yields:
        The rows of the result from `route.top` on, as stored.
    """
    measured = header.measured
    nearest: _Nearest | None = None
    if measured is not None and found.survey is not None and (found.survey.invalid or measured.mask):
        rows, again = fork(rows)
        nearest = _Nearest(again, header, size)

    def to_planes(block: Rows) -> Planes:
        if nearest is None:
            return codes.to_planes(block)
        with np.errstate(over="ignore"):  # no-data values may be the largest of their type
            planes = codes.to_planes(block)
        planes[~values.find_valid(block, header).transpose(2, 0, 1)] = np.nan
        return planes

    arriving = planes = map_ahead(pool, rows, to_planes)
    if nearest is not None and found.survey is not None:
        planes = _filled(planes, header, codes, found.survey, pool)
    rest: RowReader | None = None
    if codes.beyond:
        planes, again_planes = fork(planes)
        excess = (block - _cut(block, codes) for block in again_planes)
        bicubic = ResizeStep((header.height, header.width), size, "bicubic")
        rest = RowReader(bicubic.stream(pool, excess, _unchanged, route.result, route.source[0]), route.result[0])
        planes = _cut_all(planes, codes)
    limit: TextureLimit | None = None
    if measured is not None and size[0] >= header.height and size[1] >= header.width:
        planes, again_planes = fork(planes)
        limit = TextureLimit(again_planes, (header.height, header.width), size, pool)
    planes = route.stream(pool, planes, _unchanged)

    def parts() -> Iterator[tuple[Planes, int, tuple[Planes, Planes] | None, Planes | None, Rows | None]]:
        first = route.result[0]
        for block in planes:
            last = first + block.shape[1]
            yield (
                block,
                first,
                None if limit is None else limit.read(first, last),
                None if rest is None else rest.read(first, last),
                None if nearest is None else nearest.read(first, last),
            )
            first = last

    def finish(part: tuple[Planes, int, tuple[Planes, Planes] | None, Planes | None, Rows | None]) -> Rows:
        block, top, smooth, excess, near = part
        if limit is not None and smooth is not None:
            block = limit.limited(block, top, smooth)
        stored = codes.to_stored(block if excess is None else block + excess)
        return stored if measured is None else _restore(stored, near, header, found)

    yield from map_ahead(pool, parts(), finish)
    for _ in arriving:  # Missing or surplus rows must raise, even if no result depends on them.
        pass


def _unchanged(block: Planes) -> Planes:
    return block


def _cut(planes: Planes, codes: Codes) -> Planes:
    """The part of the values that networks read; alpha as it is."""
    result = np.clip(planes, codes.black, codes.white)
    result[codes.names.alpha] = planes[codes.names.alpha]
    return result


def _cut_all(planes: Iterable[Planes], codes: Codes) -> Iterator[Planes]:
    return (_cut(block, codes) for block in planes)


def _filled(planes: Iterator[Planes], header: Header, codes: Codes, survey: Survey, pool: Executor) -> Iterator[Planes]:
    """Planes whose NaN is filled from neighbours."""
    means = np.array([[[0.0 if each is None else each.mean for each in survey.ranges]]])
    otherwise = ((means.transpose(2, 0, 1) - codes.zero) / codes.span)[:, 0, 0].astype(np.float32)
    reader = RowReader(planes)
    step = max(block_rows(header.width), values.REACH)

    def windows() -> Iterator[tuple[Planes, int, int]]:
        for top in range(0, header.height, step):
            first, bottom = max(0, top - values.REACH), min(header.height, top + step)
            yield reader.read(first, min(header.height, bottom + values.REACH)), top - first, bottom - first

    def fill(part: tuple[Planes, int, int]) -> Planes:
        window, first, last = part
        return values.fill_nearest(window, otherwise)[:, first:last].copy()  # without the window, which is far larger

    return map_ahead(pool, windows(), fill)


def _restore(rows: Rows, near: Rows | None, header: Header, found: Facts) -> Rows:
    """The final values of a measured image.

    Args:
        rows: The bands as computed, (h, W, bands).
        near: The source's channels by nearest, (h, W, channels); None if all its pixels are valid.
        header: Of the source.
        found: Its ranges.
    """
    measured = header.measured
    assert measured is not None
    assert found.survey is not None
    for n, known in enumerate(found.survey.ranges):
        if known is not None and known.least == known.most:
            rows[..., n] = known.least
    if measured.invalid is not None:
        rows = _valid_values(rows, measured.invalid, header.levels)
    if near is None:
        return rows
    rows = np.where(values.find_valid(near, header), rows, near[..., : header.colours])
    return np.concatenate([rows, near[..., -1:]], axis=2) if measured.mask else rows


def _valid_values(rows: Rows, invalid: tuple[float, float], levels: tuple[float, float]) -> Rows:
    """Move values that mark invalid pixels to the next value that does not."""
    low, high = invalid
    hit = (rows >= low) & (rows <= high)
    if not hit.any():
        return rows
    if rows.dtype.kind == "f":
        below = np.nextafter(rows.dtype.type(low), rows.dtype.type(-np.inf))
        above = np.nextafter(rows.dtype.type(high), rows.dtype.type(np.inf))
    else:
        below, above = low - 1, high + 1
        if below < levels[0]:
            below = above
        if above > levels[1]:
            above = below
    nearer_below = rows.astype(np.float64) - low < high - rows.astype(np.float64)
    moved = np.where(nearer_below, below, above).astype(rows.dtype)
    return np.where(hit, moved, rows)


class _Nearest:
    """The rows of an image at another size by nearest, read in order."""

    def __init__(self, rows: Iterable[Rows], header: Header, size: tuple[int, int]) -> None:
        self._down = taps(header.height, size[0], "nearest").index[:, 0]
        self._across = taps(header.width, size[1], "nearest").index[:, 0]
        self._reader = RowReader(block.transpose(2, 0, 1) for block in rows)

    def read(self, top: int, bottom: int) -> Rows:
        """The rows [top, bottom) of the result, (h, W, channels)."""
        down = self._down[top:bottom]
        rows = self._reader.read(int(down[0]), int(down[-1]) + 1)
        return rows[:, down - down[0]][:, :, self._across].transpose(1, 2, 0)
