"""One network of a chain, and that network applied to one image."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperacuity import colour, machine, tiles
from hyperacuity.engines import Engine, pad_to_multiple
from hyperacuity.errors import BadOutput, HyperacuityWarning, OutOfMemory, Use
from hyperacuity.pipeline import tile_budget
from hyperacuity.pipeline.batches import from_batch, join_chroma, to_batch
from hyperacuity.pipeline.check import find_fault
from hyperacuity.pipeline.noise import Noise
from hyperacuity.pipeline.planes import Planes, PlaneSlices
from hyperacuity.pipeline.rows import (
    Finish,
    RowRange,
    block_rows,
    map_ahead,
    monotone,
    resample_rows,
    split_blocks,
    windows,
)
from hyperacuity.resize import Taps, resample, taps

# The flips and rotations of an image.
VIEWS = 8


class PrecisionWarning(HyperacuityWarning):
    """Half precision or 8 bits failed on this image; it was computed in float32."""


class TilingWarning(HyperacuityWarning):
    """A network that takes statistics of the whole image had to read it in tiles."""


@dataclass(frozen=True)
class Stage:
    """One network of a chain.

    Attributes:
        engine: The network, ready to run.
        name: For messages.
        enlarge: The factor by which bicubic enlarges the image before the network.
        whole: Whether the network takes statistics of the whole image, so that it reads it in one piece where memory
            allows.
        noise: What a network that draws samples reads as further channels; None for all others.
        latent: How many channels.
    """

    engine: Engine
    name: str
    enlarge: int = 1
    whole: bool = False
    noise: Noise | None = None
    latent: int = 0


@dataclass(frozen=True)
class _TileRow:
    """One row of tiles: what it owns, and the rows that it reads, which begin at row `top` of the image.

    chroma: How chroma is resampled to the result's rows, where the network is on luma and the image in colour.
    """

    span: tiles.Span
    top: int
    planes: Planes
    chroma: Taps | None


class RunningStage:
    """One stage applied to one image; remembers that memory ran out or that half precision failed.

    Args:
        stage: The network.
        size: (height, width) of the network's input.
        names: Which planes the rows consist of.
        studio: Whether the planes are in studio range, as networks on luma read them.
        tile: The longest side of a tile that the user asked for; 0 = no tiles; None = as memory allows.
        tta: Whether to average over the 8 flips and rotations.
        view: Compute through one of them only, 0 to 7; None for the image as it is.
        part: Whether it is applied to some of the image's rows only. Half precision that fails is then an error, since
            the other rows do not know of it.
        lean: Whether rows wait long for the step behind this one, so that as few planes as possible are made ahead.
    """

    def __init__(
        self,
        stage: Stage,
        size: tuple[int, int],
        names: PlaneSlices,
        *,
        studio: bool,
        tile: int | None,
        tta: bool,
        view: int | None = None,
        part: bool = False,
        lean: bool = False,
    ) -> None:
        self.name, self.engine, self.whole, self.tta = stage.name, stage.engine, stage.whole, tta
        self.view, self.lean = view, lean
        self.noise, self.latent = stage.noise, stage.latent
        self.height, self.width = size
        self.names, self.studio = names, studio
        self.tile, self.part = tile, part

    def made_for(self, rows: RowRange) -> RowRange:
        """Whole input pixels, and whole blocks of a network that works in blocks; see `RowStep`."""
        unit = self.engine.multiple * self.engine.scale
        first, last = rows[0] // unit * unit, -(-rows[1] // unit) * unit
        return first, min(last, self.height * self.engine.scale)

    def reads(self, made: RowRange) -> RowRange:
        """The rows of the halo, and those that chroma is resampled from; see `RowStep`."""
        scale = self.engine.scale
        (span,) = tiles.spans(
            self.height,
            1,
            halo=self.engine.halo,
            multiple=self.engine.multiple,
            part=(made[0] // scale, made[1] // scale),
        )
        first, last = self._chroma_rows[slice(*made)].reach if self._chroma_rows else (span.first, span.last)
        return min(first, span.first), max(last, span.last)

    @functools.cached_property
    def _chroma_rows(self) -> Taps | None:
        """How chroma is resampled to the result's rows, where the network is on luma and the image in colour."""
        if self.engine.channels != 1 or self.names.grey:
            return None
        return taps(self.height, self.height * self.engine.scale)

    def _prepare(self, own: RowRange) -> None:
        """Plan the tiles of the input rows `own`."""
        plan = functools.partial(
            tile_budget.plan,
            self.height,
            self.width,
            halo=self.engine.halo,
            multiple=self.engine.multiple,
            scale=self.engine.scale,
            channels=self.engine.channels,
            images=self.names.images,
            activation_bytes=self.engine.activation_bytes,
            available=self.engine.available() if self.tile is None and self.engine.activation_bytes else 0,
            tile=self.tile,
            whole=self.whole,
            rows=own[1] - own[0],
        )
        self.plan = plan(cores=machine.cores())
        if self.plan.rows_per_core is not None:
            single = self.engine.per_core()
            if single is None or single is self.engine:
                self.plan = plan(cores=1)
            else:
                self.engine = single
        self.max_pixels = self.plan.max_pixels

    def stream(
        self, pool: Executor, strips: Iterable[Planes], finish: Finish, made: RowRange, top: int = 0
    ) -> Iterator[Any]:
        """See `RowStep`."""
        own = made[0] // self.engine.scale, made[1] // self.engine.scale
        self._prepare(own)
        work = self._tile_rows(strips, own, top)
        if self.plan.rows_per_core is not None:
            # Each core computes a whole row of tiles, so cores do not wait for one another within a row.
            if self.lean:
                # One core is left for the step behind.
                ahead = max(1, machine.cores() - 1)
                for row, images, batch in map_ahead(pool, work, lambda row: (row, *self._network(row)), ahead):
                    yield from self._finished(pool, row, images, batch, finish)
                    del row, images, batch  # not held while the next one is awaited
            else:
                for blocks in map_ahead(pool, work, lambda row: list(self._compute(None, row, finish))):
                    yield from blocks
        else:
            for row in work:
                yield from self._compute(pool, row, finish)

    def _tile_rows(self, source: Iterable[Planes], own: RowRange, top: int) -> Iterator[_TileRow]:
        scale, table = self.engine.scale, self._chroma_rows
        spans = self._grid(max_rows=self.plan.max_rows, rows=own).rows
        reaches = [(span.first, span.last) for span in spans]
        chroma: list[Taps | None] = [None] * len(spans)
        if table is not None:
            cuts = [table[span.start * scale : span.stop * scale] for span in spans]
            reaches = [(min(a, cut.reach[0]), max(b, cut.reach[1])) for (a, b), cut in zip(reaches, cuts, strict=True)]
            chroma = list(cuts)
        reaches = monotone(reaches)
        tops = [first for first, _ in reaches]
        return map(_TileRow, spans, tops, windows(source, reaches, top), chroma)

    def _compute(self, pool: Executor | None, row: _TileRow, finish: Finish) -> Iterator[Any]:
        """One row of tiles, a block of its rows at a time."""
        return self._finished(pool, row, *self._network(row), finish)

    def _network(self, row: _TileRow) -> tuple[Planes, Planes]:
        """What the network reads of a row of tiles, and its result."""
        images = row.planes[:, None] if self.studio else to_batch(row.planes, self.names, self.engine.channels)
        return images, self._compute_row(images, row.top, row.span)

    def _finished(
        self, pool: Executor | None, row: _TileRow, images: Planes, batch: Planes, finish: Finish
    ) -> Iterator[Any]:
        """The planes of one row of tiles, from what `_network` returned, a block of its rows at a time."""
        names, channels = self.names, self.engine.channels
        if self.studio:
            yield from map_ahead(pool, split_blocks(batch[:, 0]), lambda block: finish(block.copy()))
        elif row.chroma is not None:
            across = self._across
            pairs = zip(split_blocks(row.planes[names.colour]), split_blocks(images[0, 0]), strict=True)
            chroma = map_ahead(pool, pairs, lambda pair: resample(colour.differences(*pair), across, -1))
            down = row.chroma.shifted(row.top)
            yield from resample_rows(
                pool,
                chroma,
                down,
                block_rows(len(across)),
                lambda *both: finish(join_chroma(*both)),
                split_blocks(batch),
            )
        else:
            yield from map_ahead(pool, split_blocks(batch), lambda block: finish(from_batch(block, names, channels)))

    @functools.cached_property
    def _across(self) -> Taps:
        return taps(self.width, self.width * self.engine.scale)

    def _grid(self, **limits: Any) -> tiles.Grid:
        return tiles.make_grid(
            self.height,
            self.width,
            halo=self.engine.halo,
            multiple=self.engine.multiple,
            max_pixels=self.max_pixels,
            max_side=self.plan.tile or None,
            **limits,
        )

    def _compute_row(self, batch: Planes, top: int, row: tiles.Span) -> Planes:
        """The network's result for the rows that `row` owns; `batch` (N, C, h, W) begins at row `top`.

        When memory runs out these rows start again in smaller tiles; the halo makes the numbers the same.
        """
        while True:
            grid = self._grid(rows=(row.start, row.stop))
            if self.whole and grid.largest < self.height * self.width:
                self._warn_of_tiles()
            try:
                return self._tiled(batch, top, grid)
            except MemoryError as error:
                if grid.largest <= self.plan.least_pixels:
                    raise OutOfMemory(
                        f"{self.name} has not enough memory for even the smallest tile; close other programs or use a "
                        "smaller model"
                    ) from error
                self.max_pixels = max(grid.largest // 2, self.plan.least_pixels)

    def _warn_of_tiles(self) -> None:
        warnings.warn(
            TilingWarning(
                f"{self.name} takes statistics of the whole image, but had to read this one in tiles: each has its own "
                "statistics, so the result differs a little and edges of tiles may show; more free memory or another "
                "model avoids that",
                Use(tile=0),
            ),
            stacklevel=2,
        )
        self.whole = False  # warns once for each image

    def _tiled(self, batch: Planes, top: int, grid: tiles.Grid) -> Planes:
        """The network's result, joined from its tiles; read only, since it may be the engine's own memory."""
        scale = self.engine.scale
        start, stop = grid.rows[0].start, grid.rows[-1].stop
        result: Planes | None = None
        for row in grid.rows:
            for column in grid.columns:
                tile = np.ascontiguousarray(batch[:, :, row.first - top : row.last - top, column.first : column.last])
                enlarged = self._checked(tile, row, column)
                if len(grid.rows) == len(grid.columns) == 1:
                    return enlarged
                if result is None:
                    result = np.empty((*batch.shape[:2], (stop - start) * scale, self.width * scale), np.float32)
                result[:, :, _inside(row, start, scale), _inside(column, 0, scale)] = enlarged
        assert result is not None
        return result

    def _checked(self, tile: Planes, row: tiles.Span, column: tiles.Span) -> Planes:
        """The network's result for what the tile owns; if it is not credible, computed once more, in float32."""
        own, big = ((_inside(row, row.first, n), _inside(column, column.first, n)) for n in (1, self.engine.scale))
        seen = tile if self.noise is None else self._with_noise(tile, row, column, self.noise)
        for _ in range(2):
            result = self._enlarge(seen)[:, :, big[0], big[1]]
            fault = find_fault(tile, own, result, self.engine.scale)
            if fault is None:
                return result
            if self.engine.precision != "fp32" and self.part:
                raise BadOutput(
                    f"{self.name} fails in {self.engine.precision} on this image ({fault}), and its rows are computed "
                    "separately",
                    Use(precision="fp32"),
                )
            if self.engine.precision != "fp32":
                warnings.warn(
                    PrecisionWarning(
                        f"{self.name} fails in {self.engine.precision} on this image; continuing in float32"
                    ),
                    stacklevel=2,
                )
                self.engine = self.engine.in_float32()
        raise BadOutput(
            f"{self.name} returned an invalid result for this image ({fault}); try another engine or model",
            Use(device="cpu"),
        )

    def _with_noise(self, tile: Planes, row: tiles.Span, column: tiles.Span, noise: Noise) -> Planes:
        """The tile and its noise, which alpha, the last image, does not get."""
        field = noise.field(self.latent, (row.first, row.last), (column.first, column.last))
        fields = np.broadcast_to(field, (len(tile), *field.shape)).copy()
        if self.names.has_alpha:
            fields[-1] = 0
        return np.concatenate([tile, fields], axis=1)

    def _enlarge(self, tile: Planes) -> Planes:
        """Run the network once, or eight times and average; sides are made to fit it first."""
        scale = self.engine.scale
        height, width = tile.shape[2:]
        down, across = self.plan.ring
        if any(self.plan.ring):
            tile = np.pad(tile, ((0, 0), (0, 0), (down, down), (across, across)), mode="edge")
        tile = pad_to_multiple(tile, self.engine.multiple)
        result = _self_ensemble(self.engine, tile) if self.tta else _through_view(self.engine, tile, self.view or 0)
        y, x = down * scale, across * scale
        return result[:, :, y : y + height * scale, x : x + width * scale]


def _inside(span: tiles.Span, origin: int, scale: int) -> slice:
    """What the span owns, in an array that begins at `origin`, `scale` times as large."""
    return slice((span.start - origin) * scale, (span.stop - origin) * scale)


def _self_ensemble(engine: Engine, tile: Planes) -> Planes:
    """The mean of the results for the 8 flips and rotations of a tile."""
    total = np.array(_through_view(engine, tile, 0))
    for view in range(1, VIEWS):
        total += _through_view(engine, tile, view)
    return total / np.float32(VIEWS)


def _through_view(engine: Engine, tile: Planes, view: int) -> Planes:
    """The result for a tile that is turned, and flipped if `view` is odd, before the network and back behind it."""
    if view == 0:
        return engine.run(tile)
    turn, flip = divmod(view, 2)
    seen = np.rot90(tile, turn, axes=(2, 3))
    seen = seen[:, :, :, ::-1] if flip else seen
    enlarged = engine.run(np.ascontiguousarray(seen))
    enlarged = enlarged[:, :, :, ::-1] if flip else enlarged
    return np.rot90(enlarged, -turn, axes=(2, 3))
