"""From an image to a larger image: colour, alpha, tiles, chains of networks, the last step to any scale.

All of it works on a stream of rows, top to bottom, so that memory is bounded by a row of tiles whatever the
image's size. Inside, rows are planes: (C, h, W) float32, black 0 and white 1.
"""

from __future__ import annotations

import contextvars
import functools
import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, machine, tiles
from hyperacuity.engines import Engine, pad_to_multiple
from hyperacuity.errors import BadOutput, HyperacuityWarning, OutOfMemory, UsageError
from hyperacuity.image import Header, Image, Strips
from hyperacuity.resize import Kernel, Taps, resample, taps

Planes = NDArray[np.float32]
Given = TypeVar("Given")
Made = TypeVar("Made")
# What becomes of each block of a step's result, in the thread that made it: handing it to another takes longer.
Finish = Callable[[Planes], Any]
Step = Callable[[Executor, Iterable[Planes], Finish], Iterator[Any]]
# What a network's step does for each row of tiles: the rows that it owns, where the rows that it is given begin, those
# rows, and how chroma is resampled to its result, where that is done.
Work = tuple[tiles.Span, int, Planes, Taps | None]

# A tile forty times as long as its halo reads a tenth more than it owns. Much larger ones save less than their results
# lose by leaving the cache (60 megapixels through FSRCNN: 8.2 megapixels a second in tiles of 64 MiB, 7.6 in 256), and
# smaller ones let progress be seen and Ctrl-C be heard.
TILE_SIDE = 40
# What a tile may read however small its halo. A megapixel through Acute 10k, Acute 50k and FSRCNN took 210, 688 and
# 962 ms in tiles of 2^16 pixels, 200, 684 and 837 in 2^18, and 193, 639 and 929 in one.
TILE_PIXELS = 1 << 18
# What a tile may take where four times as much is free. Networks that reach far need it: for each pixel that a tile of
# SRResNet x4 (halo 40, 16 KiB a pixel) owns it reads 2.1, and 7 in 256 MiB; of EDSR-baseline (36, 4 KiB) 1.3 and 1.9.
TILE_MEMORY = 1 << 30
# Where each core computes rows of tiles of its own, how many pixels such a row owns: a megapixel through Acute 50k
# took 5 % less than in rows twice as large, since cores that have no more row to take wait less for the others. And how
# many times as high as the halo it must be, so that no more than a tenth is read twice.
ROW_PIXELS = 1 << 17
ROW_HEIGHT = 20
# What one row of tiles may hold of results while its pieces are put together. Where a row of the image is so wide that
# this would leave less of it than the halo, a row of tiles is as high as the halo on both sides, and reads twice that.
STRIP_MEMORY = 64 << 20
# Pixels that go through the steps around the network (colour, resizing, rounding) at a time: few enough to stay in a
# cache, and enough for numpy's calls, between which threads wait for one another, to cost little (chroma and rounding
# of 2 megapixels on two cores: 34 ms in blocks of half the size, 22 in these; 29 and 25 on one). Each core works on a
# block of its own.
BLOCK = 1 << 17
# Pixels that a tile may always read, however little memory seems to be left: less would never end.
SMALLEST_TILE = 128 * 128
# How far below black floats may lie, in parts of the range, and be taken as they are. Bicubic and Lanczos undershoot by
# an eighth at most, and networks are still nearly linear there.
UNDERSHOOT = 0.25
# How wide a border darkens at most. Deep networks reach hundreds of pixels, but hardly see them, and their papers'
# figures are of pictures padded with black: repeating edges there cost RRDB 0.5 dB on Set5.
RING = 24
# Each tile is checked in cells of about this many pixels a side: how far the mean of the result may be from the mean
# of the input, black to white being 1, or the mean itself where it is more. Networks keep it within some 0.01; a black
# or saturated patch does not.
CELL = 32
MEAN_TOLERANCE = 0.1


class PrecisionWarning(HyperacuityWarning):
    """Half precision, or 8 bits, failed on this image; it was computed in float32."""


class TilingWarning(HyperacuityWarning):
    """A network that takes statistics of the whole image had to be given it in tiles."""


@dataclass(frozen=True)
class Stage:
    """One network of a chain; `name` is for messages. enlarge: how much bicubic enlarges the image before it. whole: it
    takes statistics of the whole image, so it is given it in one piece where memory allows.
    """

    engine: Engine
    name: str
    enlarge: int = 1
    whole: bool = False


@dataclass(frozen=True)
class Pipeline:
    """How an image is enlarged; holds no state of its own, so it serves any number of images and threads.

    stages: networks, run one after another. kernel: what brings their result to the size asked for, or does all
    the work where there are no networks. tile: the largest side of a tile in input pixels; None = as memory
    allows; 0 = no tiles. tta: average over the 8 flips and rotations ("self-ensemble" of EDSR, arXiv 1707.02921,
    section 3.4): some 0.1 dB for 8 times the work.
    """

    stages: Sequence[Stage]
    kernel: Kernel = "bicubic"
    tile: int | None = None
    tta: bool = False

    def stream(self, image: Image, height: int, width: int) -> Strips:
        """The image at `height` x `width`, computed while its rows are read. Depth, levels, alpha and metadata
        stay as they are.

        Raises `UsageError` for pixels that are not numbers; reading the rows raises `BadOutput` when a network
        answers nonsense and `OutOfMemory` when not even the smallest tiles fit.
        """
        header = image.header
        if header.dtype.kind == "f" and not np.isfinite(image.pixels).all():
            raise UsageError("the image has pixels that are NaN or infinite: replace them first")
        return Strips(header.resized(height, width), self._rows(image, height, width))

    def _rows(self, image: Image, height: int, width: int) -> Iterator[NDArray[Any]]:
        pool = _pool(os.getpid())
        image, opacity = _prepare_alpha(image)
        # Grey through networks on luma is luma all the way.
        grey = image.header.colours == 1 and {stage.engine.channels for stage in self.stages} == {1}
        codes = _Codes.of(image, studio=grey)
        size = image.header.height, image.header.width
        steps: list[Step] = []
        for stage in self.stages:
            if stage.enlarge > 1:
                larger = size[0] * stage.enlarge, size[1] * stage.enlarge
                steps.append(functools.partial(_resized, size, larger, "bicubic"))
                size = larger
            steps.append(_Run(stage, self.tile, self.tta, size, image.header, studio=grey).strips)
            size = size[0] * stage.engine.scale, size[1] * stage.engine.scale
        if size != (height, width):
            steps.append(functools.partial(_resized, size, (height, width), self.kernel))
        strips: Iterator[Any] = _ahead(pool, _blocks(image.pixels, axis=0), codes.planes)
        for step in steps[:-1]:
            strips = step(pool, strips, lambda block: block)
        last = steps[-1] if steps else _ahead
        try:
            yield from last(pool, strips, lambda block: codes.stored(block, opacity))
        except OutOfMemory:
            raise
        except MemoryError as error:  # not of a network, whose tiles can shrink, but of the rows around it
            raise OutOfMemory(
                f"no memory for rows of {width} pixels: close other programs, leave --tile at auto, or ask for less"
            ) from error


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads for what numpy does beside the networks, the same for all images: starting them would take longer than a
    small one does. A process that was forked has none of them and starts its own.
    """
    return ThreadPoolExecutor(machine.cores(), "hyperacuity-pixels")


def _prepare_alpha(image: Image) -> tuple[Image, float | None]:
    """Give transparent pixels the colours around them, and take out an alpha that is the same everywhere.

    Returns the image to compute, and the stored alpha that all of its result shall have again.
    """
    if not image.header.alpha:
        return image, None
    alpha = image.pixels[..., -1]
    if alpha.min() == alpha.max():
        return Image.from_pixels(image.pixels[..., :-1], levels=image.header.levels), float(alpha[0, 0])
    visible = alpha > image.header.levels[0]
    return (image if visible.all() else Image(image.header, colour.bleed(image.pixels, visible))), None


@dataclass(frozen=True)
class _Codes:
    """Between stored values, from `low` to `high`, and planes: `zero` (C, 1, 1) becomes 0, what is `span` above it 1.

    0 is black and 1 white, or those of codes in studio range. Floats may lie beyond their nominal levels and are not
    cut off. Networks take what is above white as it is, being nearly linear there (measured on FSRCNN: 0.4 % off at
    1000 times white); squeezing it all into [0, 1] instead would multiply their error in the rest of the picture. Far
    below black they know nothing, so there black moves; but not for the undershoot of an earlier resampling, since that
    moves the whole picture (it cost 2.5 dB on Set14's ppt3).
    """

    dtype: np.dtype[Any]
    low: np.float32
    high: np.float32
    zero: Planes
    span: np.float32
    alpha: bool

    @classmethod
    def of(cls, image: Image, *, studio: bool) -> _Codes:
        header = image.header
        low, high = header.levels
        span, zero = high - low, np.full((header.channels, 1, 1), low, np.float64)
        if header.dtype.kind == "f":
            least = float(image.pixels[..., : header.colours].min())
            zero[: header.colours] = least if least < low - UNDERSHOOT * span else low
        if studio:
            span /= colour.STUDIO_SPAN
            zero -= colour.STUDIO_BLACK * span
        return cls(
            header.dtype, np.float32(low), np.float32(high), zero.astype(np.float32), np.float32(span), header.alpha
        )

    def planes(self, rows: NDArray[Any]) -> Planes:
        """(h, W, C) as stored -> (C, h, W)."""
        planes = np.array(rows.transpose(2, 0, 1), np.float32, order="C")
        planes -= self.zero
        planes /= self.span
        return planes

    def stored(self, planes: Planes, opacity: float | None) -> NDArray[Any]:
        """(C, h, W) -> (h, W, C) as stored, with an alpha of `opacity` added if there is one; overwrites `planes`."""
        integer = self.dtype.kind != "f"
        planes *= self.span
        planes += self.zero + np.float32(0.5) if integer else self.zero
        clipped = planes if integer else planes[-1:] if self.alpha else planes[:0]
        np.maximum(clipped, self.low, out=clipped)
        np.minimum(clipped, self.high, out=clipped)
        if self.dtype.kind == "i":  # what is not negative is rounded down by being stored
            np.floor(planes, out=planes)
        rows = np.empty((*planes.shape[1:], len(planes) + (opacity is not None)), self.dtype)
        for n, plane in enumerate(planes):  # a third of the time of all at once
            rows[..., n] = plane
        if opacity is not None:
            rows[..., -1] = opacity
        return rows


def _blocks(strip: NDArray[Any], axis: int = -2) -> Iterator[NDArray[Any]]:
    """A strip, or a batch of strips, (..., h, W), a block of rows at a time; or other pixels with rows on `axis`."""
    rows = _block_rows(strip.shape[axis + 1])
    for top in range(0, strip.shape[axis], rows):
        yield strip[..., top : top + rows, :] if axis == -2 else strip[top : top + rows]


def _block_rows(width: int) -> int:
    return max(1, BLOCK // width)


def _ahead(pool: Executor | None, items: Iterable[Given], work: Callable[[Given], Made]) -> Iterator[Made]:
    """`map` in the threads of a pool, in order and an item for each core ahead of whoever takes the results; without a
    pool in this thread.
    """
    if pool is None:
        yield from map(work, items)
        return
    waiting: deque[Future[Made]] = deque()
    cores = machine.cores()
    try:
        for item in items:
            # Warnings are told under the name of the file that the context holds.
            waiting.append(pool.submit(contextvars.copy_context().run, work, item))
            if len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def windows(strips: Iterable[Planes], spans: Iterable[tuple[int, int]]) -> Iterator[Planes]:
    """Cut a stream of rows into windows [first, last) that may overlap; neither end may move back."""
    source = iter(strips)
    held = next(source)
    top = 0
    for first, last in spans:
        parts = [held[:, first - top :]]
        end = top + held.shape[1]
        while end < last:
            strip = next(source)
            parts.append(strip[:, max(0, first - end) :])
            end += strip.shape[1]
        held, top = (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)), first
        yield held[:, : last - first]


def _monotone(reaches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Widen windows so that none begins before an earlier one: mirrored borders may reach far back."""
    first = np.minimum.accumulate([low for low, _ in reaches][::-1])[::-1]
    last = np.maximum.accumulate([high for _, high in reaches])
    return [(int(low), int(high)) for low, high in zip(first, last, strict=True)]


def _resized(
    size: tuple[int, int],
    target: tuple[int, int],
    kernel: Kernel,
    pool: Executor | None,
    strips: Iterable[Planes],
    finish: Finish,
) -> Iterator[Any]:
    """The rows of an image of `size` at another size."""
    rows, columns = taps(size[0], target[0], kernel), taps(size[1], target[1], kernel)
    across = _ahead(pool, strips, lambda strip: resample(strip, columns, -1))
    return _down(pool, across, rows, target[1], finish)


def _down(
    pool: Executor | None,
    strips: Iterable[Planes],
    rows: Taps,
    width: int,
    finish: Callable[..., Any],
    *beside: Iterable[Planes],
) -> Iterator[Any]:
    """The rows that `rows` makes of a stream of that width, a block at a time. beside: more streams of such blocks, for
    `finish` too.
    """
    height = _block_rows(width)
    cuts = [rows[top : top + height] for top in range(0, len(rows), height)]
    reaches = _monotone([cut.reach for cut in cuts])
    down = [cut.shifted(low) for cut, (low, _) in zip(cuts, reaches, strict=True)]

    def work(parts: tuple[Any, ...]) -> Any:
        window, cut, *others = parts
        return finish(resample(window, cut, -2), *others)

    return _ahead(pool, zip(windows(strips, reaches), down, *beside, strict=True), work)


class _Run:
    """One stage at work on one image of `size` (height, width); remembers that memory ran out or that half precision
    failed.
    """

    def __init__(
        self, stage: Stage, tile: int | None, tta: bool, size: tuple[int, int], header: Header, *, studio: bool
    ) -> None:
        self.name, self.engine, self.tile, self.tta = stage.name, stage.engine, tile, tta
        self.studio = studio
        self.rows: int | None = None  # of the image in a row of tiles, where each core computes one
        self.height, self.width = size
        self.colours, self.alpha = header.colours, header.alpha
        halo, multiple = self.engine.halo, self.engine.multiple
        # Networks pad with black. An image that is all border would be darkened by it: repeat its edge instead.
        near = min(halo, RING)
        self.ring = [-(-near // multiple) * multiple if side <= near else 0 for side in size]
        self.least = tiles.smallest(halo, multiple)
        self.max_pixels: int | None = None
        self.whole = stage.whole
        # What a run computes for each pixel that a tile reads: itself, its alpha, its share of the ring.
        growth = 1.0 + self.alpha
        for side, ring in zip(size, self.ring, strict=True):
            growth *= 1 + 2 * ring / side
        if tile is None and self.whole:
            needed = size[0] * size[1] * growth * self.engine.activation_bytes
            self.tile = tile = 0 if needed <= self.engine.available() // 2 else None
        if tile is None and self.engine.activation_bytes:
            rows = self._rows_abreast()
            affordable = min(self.engine.available() // 4, TILE_MEMORY) // self.engine.activation_bytes
            if rows is not None and rows * self.width * growth * machine.cores() <= affordable:
                alone = self.engine.per_core()
                if alone is not None and alone is not self.engine:
                    self.engine, self.rows, affordable = alone, rows, affordable // machine.cores()
            affordable = min(affordable, max(TILE_PIXELS, ((TILE_SIDE + 2) * halo) ** 2))
            self.max_pixels = max(self.least, int(max(SMALLEST_TILE, affordable) / growth))

    def strips(self, pool: Executor, source: Iterable[Planes], finish: Finish) -> Iterator[Any]:
        """The rows of the image at `scale` times its size, a row of tiles at a time."""
        scale = self.engine.scale
        keeps_chroma = self.engine.channels == 1 and self.colours == 3
        grid = self._plan(max_rows=self._affordable_rows())
        reaches = [(row.first, row.last) for row in grid.rows]
        cuts: list[Taps | None] = [None] * len(grid.rows)
        if keeps_chroma:
            upright = taps(self.height, self.height * scale)
            own = [upright[row.start * scale : row.stop * scale] for row in grid.rows]
            reaches = [(min(a, cut.reach[0]), max(b, cut.reach[1])) for (a, b), cut in zip(reaches, own, strict=True)]
            cuts = list(own)
        reaches = _monotone(reaches)
        tops = [first for first, _ in reaches]
        work: Iterator[Work] = zip(grid.rows, tops, windows(source, reaches), cuts, strict=True)
        if self.rows is not None:
            # Each core does all that there is to do for a row of tiles: none waits for another within it.
            for blocks in _ahead(pool, work, lambda one: list(self._row(None, one, finish))):
                yield from blocks
        else:
            for one in work:
                yield from self._row(pool, one, finish)

    def _row(self, pool: Executor | None, work: Work, finish: Finish) -> Iterator[Any]:
        """One row of tiles, a block of its rows at a time."""
        row, top, window, cut = work
        channels = self.engine.channels
        picture = window[:, None] if self.studio else _to_network(window, channels)
        batch = self._strip(picture, top, row)
        if self.studio:
            yield from _ahead(pool, _blocks(batch[:, 0]), lambda block: finish(block.copy()))
        elif cut is not None:
            across = self._across
            pairs = zip(_blocks(window[:3]), _blocks(picture[0, 0]), strict=True)
            chroma = _ahead(pool, pairs, lambda pair: resample(colour.differences(*pair), across, -1))
            down = cut.shifted(top)
            yield from _down(pool, chroma, down, len(across), lambda *both: finish(_joined(*both)), _blocks(batch))
        else:
            yield from _ahead(pool, _blocks(batch), lambda block: finish(_from_network(block, channels, self.colours)))

    @functools.cached_property
    def _across(self) -> Taps:
        return taps(self.width, self.width * self.engine.scale)

    def _rows_abreast(self) -> int | None:
        """How high rows of tiles are of which each core computes one; None where that would read too much."""
        cores, least = machine.cores(), max(1, ROW_HEIGHT * self.engine.halo)
        count = self.height // max(least, ROW_PIXELS // self.width)
        count = max(count // cores * cores, cores)
        rows = math.ceil(self.height / count)
        return rows if cores > 1 and rows >= least and not self.whole else None

    def _affordable_rows(self) -> int | None:
        if self.tile == 0:
            return None
        row = 4 * self.width * self.engine.scale**2 * (1 + self.alpha) * self.engine.channels
        rows = max(1, 2 * self.engine.halo, STRIP_MEMORY // row)
        return rows if self.rows is None else min(rows, self.rows)

    def _plan(self, **limits: Any) -> tiles.Grid:
        return tiles.plan(
            self.height,
            self.width,
            halo=self.engine.halo,
            multiple=self.engine.multiple,
            max_pixels=self.max_pixels,
            max_side=self.tile or None,
            **limits,
        )

    def _strip(self, batch: Planes, top: int, row: tiles.Span) -> Planes:
        """The network's answer for the rows that `row` owns; `batch` (N, C, h, W) begins at row `top`.

        When memory runs out these rows begin anew in smaller tiles; the halo makes the numbers the same.
        """
        while True:
            grid = self._plan(rows=(row.start, row.stop))
            if self.whole and grid.largest < self.height * self.width:
                self._warn_of_tiles()
            try:
                return self._tiled(batch, top, grid)
            except MemoryError as error:
                if grid.largest <= self.least:
                    raise OutOfMemory(
                        f"{self.name} finds no memory for even the smallest tile: close other programs or take a "
                        "smaller model"
                    ) from error
                self.max_pixels = max(grid.largest // 2, self.least)

    def _warn_of_tiles(self) -> None:
        warnings.warn(
            f"{self.name} takes statistics of the whole image, and this one was computed in tiles: each has its own, "
            "so the result differs a little and tiles may show; --tile 0, more free memory or another model avoids it",
            TilingWarning,
            stacklevel=2,
        )
        self.whole = False  # it is said once for each image

    def _tiled(self, batch: Planes, top: int, grid: tiles.Grid) -> Planes:
        """The network's answer tile by tile, put together; not to be written into, since it may be the engine's own."""
        scale = self.engine.scale
        start, stop = grid.rows[0].start, grid.rows[-1].stop
        result: Planes | None = None
        for row in grid.rows:
            for column in grid.columns:
                tile = np.ascontiguousarray(batch[:, :, row.first - top : row.last - top, column.first : column.last])
                own = _inside(row, row.first, 1), _inside(column, column.first, 1)
                big = _inside(row, row.first, scale), _inside(column, column.first, scale)
                answer = self._checked(tile, own, big)
                if len(grid.rows) == len(grid.columns) == 1:
                    return answer
                if result is None:
                    result = np.empty((*batch.shape[:2], (stop - start) * scale, self.width * scale), np.float32)
                result[:, :, _inside(row, start, scale), _inside(column, 0, scale)] = answer
        assert result is not None
        return result

    def _checked(self, tile: Planes, own: tuple[slice, slice], big: tuple[slice, slice]) -> Planes:
        """The network's answer for what the tile owns; one that is not credible is computed once more, in float32."""
        for _ in range(2):
            answer = self._enlarge(tile)[:, :, big[0], big[1]]
            fault = _fault(tile, own, answer, self.engine.scale)
            if fault is None:
                return answer
            if self.engine.precision != "fp32":
                warnings.warn(
                    f"{self.name} fails in {self.engine.precision} on this image; going on in float32",
                    PrecisionWarning,
                    stacklevel=2,
                )
                self.engine = self.engine.in_float32()
        raise BadOutput(
            f"{self.name} answers nonsense on this image ({fault}): try another --engine, --device cpu or another model"
        )

    def _enlarge(self, tile: Planes) -> Planes:
        """Run the network once, or eight times and average; sides are made to fit it first."""
        scale = self.engine.scale
        height, width = tile.shape[2:]
        down, across = self.ring
        if any(self.ring):
            tile = np.pad(tile, ((0, 0), (0, 0), (down, down), (across, across)), mode="edge")
        tile = pad_to_multiple(tile, self.engine.multiple)
        result = _self_ensemble(self.engine, tile) if self.tta else self.engine.run(tile)
        y, x = down * scale, across * scale
        return result[:, :, y : y + height * scale, x : x + width * scale]


def _fault(tile: Planes, own: tuple[slice, slice], after: Planes, scale: int) -> str | None:
    """What is wrong with a network's answer: numbers that are none, or a mean colour that has moved, cell by cell."""
    before = tile[:, :, own[0], own[1]]
    sides = before.shape[2:]
    rows, columns = (np.arange(n := max(1, side // CELL)) * side // n for side in sides)
    height, width = (np.diff(edges, append=side) for edges, side in zip((rows, columns), sides, strict=True))
    area = (height[:, None] * width).astype(np.float32)

    def mean(planes: Planes, factor: int = 1) -> Planes:
        cells = pairwise((*(rows * factor), planes.shape[2]))
        # Rows first, which are added whole.
        strips = np.stack([np.add.reduce(planes[:, :, top:bottom], axis=2) for top, bottom in cells], axis=2)
        total: Planes = np.add.reduceat(strips, columns * factor, axis=3)
        total /= area * np.float32(factor**2)
        return total

    level = mean(before)
    with np.errstate(invalid="ignore", over="ignore"):  # what is infinite is found on the next line
        moved = np.abs(mean(after, scale) - level)
    if not np.isfinite(moved).all():
        return "its values are no numbers"
    excess = moved - MEAN_TOLERANCE * np.maximum(1, np.abs(level))
    if (excess <= 0).all():
        return None
    # Dither and noise are ambiguous: networks move their mean, by up to 0.3 of the mean step from pixel to pixel.
    steps = sum(mean(np.abs(np.diff(before, axis=n, append=np.take(before, [-1], n)))) for n in (2, 3)) / 2
    if min(sides) < CELL:
        # Light crosses the rim of a cell, some two pixels far. In a small one that is much of the whole, and may come
        # from pixels that the tile only reads.
        steps = steps + np.ptp(tile) * np.minimum(2, 4 / height[:, None] + 4 / width)
    return None if (excess <= steps).all() else f"its mean colour is off by {moved.max():.2f} of the range"


def _inside(span: tiles.Span, origin: int, scale: int) -> slice:
    """What the span owns, in an array that begins at `origin`, `scale` times as large."""
    return slice((span.start - origin) * scale, (span.stop - origin) * scale)


def _self_ensemble(engine: Engine, tile: Planes) -> Planes:
    total: Planes | None = None
    for turn in range(4):
        for flip in (False, True):
            seen = np.rot90(tile, turn, axes=(2, 3))
            seen = seen[:, :, :, ::-1] if flip else seen
            answer = engine.run(np.ascontiguousarray(seen))
            answer = answer[:, :, :, ::-1] if flip else answer
            answer = np.rot90(answer, -turn, axes=(2, 3))
            total = answer.copy() if total is None else np.add(total, answer, out=total)
    assert total is not None
    return total / np.float32(8)


def _to_network(planes: Planes, channels: int) -> Planes:
    """Grey or RGB planes, perhaps with alpha, as a batch (N, channels, h, W): the picture, then its alpha."""
    colours = 3 if len(planes) >= 3 else 1
    if channels == 1:
        picture = colour.luma(planes[:3], axis=0)[None] if colours == 3 else colour.to_studio(planes[:1])
        if len(planes) > colours:
            picture = np.concatenate([picture, colour.to_studio(planes[colours:])])
        return picture[:, None]
    picture = np.broadcast_to(planes[:colours], (3, *planes.shape[1:]))[None]
    opacity = [np.broadcast_to(plane, picture.shape) for plane in planes[colours:]]
    return np.concatenate([picture, *opacity])


def _from_network(batch: Planes, channels: int, colours: int) -> Planes:
    """The inverse of `_to_network`, for all but colour through a network on luma."""
    if channels == 1:
        return colour.from_studio(batch[:, 0])
    greys = batch[colours // 3 :].mean(axis=1)  # a grey picture, alpha
    return greys if colours == 1 else np.concatenate([batch[0], greys])


def _joined(chroma: Planes, batch: Planes) -> Planes:
    """Red, green and blue, perhaps with alpha, of colour differences and what a network on luma has answered."""
    rgb = colour.joined(batch[0, 0], chroma)
    return rgb if len(batch) == 1 else np.concatenate([rgb, colour.from_studio(batch[1:, 0])])
