"""Joins all steps into one stream of rows: codes, the networks of the chain, and a resize to the requested size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.errors import OutOfMemory, UsageError
from hyperacuity.image import Header, Image, RowSource, Strips
from hyperacuity.pipeline import first_pass, tile_budget, wide
from hyperacuity.pipeline.codes import Codes
from hyperacuity.pipeline.faithful import Correction
from hyperacuity.pipeline.first_pass import Facts
from hyperacuity.pipeline.planes import Planes
from hyperacuity.pipeline.rows import (
    ResizeStep,
    RowRange,
    RowRoute,
    RowStep,
    block_rows,
    fork,
    map_ahead,
    pixel_pool,
    regroup,
    trimmed,
)
from hyperacuity.pipeline.stage import RunningStage, Stage
from hyperacuity.resize import Kernel
from hyperacuity.trust import ConsistencyMeter


@dataclass(frozen=True)
class Pipeline:
    """How an image is enlarged; holds no state, so it serves any number of images and threads.

    Attributes:
        stages: The networks, run one after another.
        kernel: Resizes the networks' result to the requested size, or the image itself if there are no networks.
        tile: The longest side of a tile in input pixels; None = as memory allows; 0 = no tiles.
        tta: Whether to average over the 8 flips and rotations ("self-ensemble" of EDSR, arXiv 1707.02921,
            section 3.4): some 0.1 dB for 8 times the work.
        view: Compute through one of them only, 0 to 7; None for the image as it is.
        damping: Correct the result so that its reduction equals the input (see `trust.axis_projection`): 0 exactly, up
            to 1 less where that would amplify noise. None for no correction. A result that is smaller than the input
            on a side is never corrected.

    Example:
        >>> import numpy as np
        >>> image = Image.from_pixels(np.zeros((2, 3, 3), np.uint8))
        >>> Pipeline([], "lanczos").stream(image, 4, 6).gather().pixels.shape
        (4, 6, 3)
    """

    stages: Sequence[Stage]
    kernel: Kernel = "bicubic"
    tile: int | None = None
    tta: bool = False
    damping: float | None = None
    view: int | None = None

    def stream(
        self,
        source: Image | Strips,
        height: int,
        width: int,
        meter: ConsistencyMeter | None = None,
        *,
        known: Facts | None = None,
    ) -> Strips:
        """Resize an image, computed while the rows of the result are read.

        Depth, levels, alpha and metadata stay as they are. Rows in memory at a time are few, so an image may be larger
        than memory if its strips can be read again, or need no first pass (see `pipeline.first_pass`).

        Args:
            source: An image in memory, or one whose rows come as they are read. Strips of floats or with alpha are read
                once here, and again, up to twice, with the result; all rows are gathered if they can be read only once.
            height: Of the result, in pixels.
            width: Likewise.
            meter: Gets the rows of the image and of the result.
            known: What a first pass would find, if that is known already; there is none then.

        Returns:
            The result's rows, which can be read once. Reading them raises `BadOutput` when a network returns an invalid
            result, `OutOfMemory` when not even the smallest tiles fit, and `DamagedFile` when `source` has too few or
            too many rows.

        Raises:
            UsageError: If the image contains NaN or Inf.
            OutOfMemory: If not even a few rows of the result fit into the memory that is free.
            DamagedFile: If a first pass finds too few or too many rows.
        """
        strips = source.strips() if isinstance(source, Image) else source
        check_rows(strips.header, height, width)
        if known is None:
            strips = first_pass.rereadable(strips)
            known = first_pass.survey(strips)
        meter = meter if strips.header.measured is None else None
        way = _Way(self, strips.header, known, (height, width))
        rows = way.stream(strips, meter)
        rows = rows if meter is None else _observed(rows, meter.add_result)
        return Strips(strips.header.resized(height, width), rows)

    def stream_rows(self, source: RowSource, found: Facts, height: int, width: int, rows: RowRange) -> Strips:
        """Compute only some rows of what `stream` returns, with the same bits.

        Args:
            source: The image, of which only the necessary rows are read.
            found: What `first_pass.complete_survey` found in the whole image.
            height: Of the whole result, in pixels.
            width: Likewise.
            rows: The rows [first, last) of the result.

        Returns:
            These rows. Reading them raises errors as for `stream`, and `BadOutput` where half precision fails.

        Raises:
            UsageError: If there are no such rows, or rows of this image cannot be computed separately: a network takes
                statistics of the whole image, or the values are measurements.
        """
        if not 0 <= rows[0] < rows[1] <= height:
            raise UsageError(f"there are no rows {rows[0]} to {rows[1]} in a result of {height}")
        if reason := self.why_not_in_parts(source.header):
            raise UsageError(f"{reason}, so rows of the result cannot be computed separately")
        way = _Way(self, source.header, found, (height, width), rows)
        strips = Strips(source.header, source.read(*way.route.source))
        return Strips(source.header.resized(rows[1] - rows[0], width), way.stream(strips, None))

    def why_not_in_parts(self, header: Header) -> str | None:
        """Returns why `stream_rows` refuses an image, None if it does not."""
        if header.measured is not None:
            return "the image consists of measurements"
        whole = next((stage.name for stage in self.stages if stage.whole), None)
        return None if whole is None else f"{whole} takes statistics of the whole image"


def join_rows(
    source: Strips, found: Facts, parts: Iterable[NDArray[Any]], height: int, width: int, meter: ConsistencyMeter | None
) -> Strips:
    """Return what `Pipeline.stream` returns, from rows that `Pipeline.stream_rows` computed.

    Args:
        source: The image; it is read once if there is a meter.
        found: What `first_pass.complete_survey` found in it.
        parts: The rows of the result, from top to bottom, in arrays of any height.
        height: Of the result, in pixels.
        width: Likewise.
        meter: Gets the rows of the image and of the result.
    """
    way = _Way(Pipeline([]), source.header, found, (height, width))

    def rows() -> Iterator[NDArray[Any]]:
        if meter is not None:
            for _ in way.stored_rows(source, pixel_pool(), meter):
                pass
        yield from parts if meter is None else _observed(iter(parts), meter.add_result)

    return Strips(source.header.resized(height, width), rows())


def check_rows(header: Header, height: int, width: int) -> None:
    """Refuse a result so wide that the system would end the process while its first rows are made.

    Args:
        header: Of the image.
        height: Of the result, in pixels.
        width: Likewise.

    Raises:
        OutOfMemory: If not even a few rows of the result fit into the memory that is free.
    """
    needed, free = tile_budget.row_memory(width, header.channels), machine.available_memory()
    if needed > free:
        raise OutOfMemory(
            f"a result of {width} × {height} pixels needs {needed / 2**30:.1f} GiB of memory for a few of its rows, "
            f"and {free / 2**30:.1f} GiB are free; close other programs or ask for a smaller result"
        )


class _Way:
    """How one image, or some rows of its result, get from stored values to stored values.

    Args:
        pipeline: What is asked for.
        header: Of the image.
        found: What is known about the whole of it.
        size: (height, width) of the result.
        rows: Of the result; None for all.
    """

    def __init__(
        self, pipeline: Pipeline, header: Header, found: Facts, size: tuple[int, int], rows: RowRange | None = None
    ) -> None:
        self._header, self._found, self._size = header, found, size
        # A grey image stays in studio range if all networks are on luma, and so do bands.
        separate = header.measured is not None or header.colours == 1
        studio = separate and {stage.engine.channels for stage in pipeline.stages} == {1}
        self._codes = codes = Codes.for_image(header, found, studio=studio)
        before = header.height, header.width
        self._rows = rows or (0, size[0])
        self._wide = header.measured is not None or (codes.beyond and bool(pipeline.stages))
        self._correction: Correction | None = None
        needed = self._rows
        also: list[RowRange] = [(0, header.height)] if rows is None else []
        larger = size[0] >= before[0] and size[1] >= before[1]
        if pipeline.damping is not None and header.measured is None and larger:
            self._correction = Correction(before, size, codes.names.colour, pipeline.damping, self._rows)
            needed = self._correction.reads
            also.append(self._correction.wanted)
        if self._wide and codes.beyond:
            also.append(ResizeStep(before, size, "bicubic").reads(needed))
        steps = self._steps(pipeline, studio=studio, part=rows is not None)
        self.route = RowRoute.to(needed, steps, also)
        if found.transparent:
            self.route = replace(self.route, source=first_pass.whole_bands(self.route.source, header.height))

    def stream(self, source: Strips, meter: ConsistencyMeter | None) -> Iterator[NDArray[Any]]:
        """The rows of the result, as stored; `source` are the rows `route.source`."""
        pool = pixel_pool()
        measured = self._header.measured
        try:
            if measured is not None and (not self.route.steps or measured.categorical or not self._found.has_valid):
                yield from wide.copy_nearest(source, *self._size)
                return
            rows = self.stored_rows(source, pool, meter)
            made = self._made_wide(rows, pool) if self._wide else self._made(rows, pool)
            top = self._rows[0] if self._correction is not None else self.route.result[0]
            yield from trimmed(made, top, self._rows)
        except OutOfMemory:
            raise
        except MemoryError as error:  # outside the network, where smaller tiles do not help
            raise OutOfMemory(
                f"memory ran out for rows of {self._size[1]} pixels; close other programs or ask for a smaller result"
            ) from error

    def _made(self, rows: Iterator[NDArray[Any]], pool: Executor) -> Iterator[NDArray[Any]]:
        codes = self._codes
        if self._correction is None:
            first = map_ahead(pool, rows, codes.to_planes)
            yield from self.route.stream(pool, first, codes.to_stored)
        else:  # what waits for the result is kept as stored, which takes a quarter of the memory
            rows, wanted = fork(rows)
            first = map_ahead(pool, rows, codes.to_planes)
            made = self.route.stream(pool, first, lambda block: block)
            yield from self._correction.stream(map(codes.to_planes, wanted), pool, made, codes.to_stored, self._tops)
        for _ in first:  # Missing or surplus rows must raise, even if no result depends on them.
            pass

    def _made_wide(self, rows: Iterator[NDArray[Any]], pool: Executor) -> Iterator[NDArray[Any]]:
        if self._correction is None:
            return wide.stream(self._header, rows, self._found, self._codes, self.route, self._size, pool)
        # On stored values, since those beyond the range do not pass through the planes.
        rows, wanted = fork(rows)
        made = wide.stream(self._header, rows, self._found, self._codes, self.route, self._size, pool)
        return self._correction.stream(map(_planar, wanted), pool, map(_planar, made), _interleaved, self._tops)

    @property
    def _tops(self) -> tuple[int, int]:
        return self.route.source[0], self.route.result[0]

    def stored_rows(self, source: Strips, pool: Executor, meter: ConsistencyMeter | None) -> Iterator[NDArray[Any]]:
        """The image's rows as stored, a block at a time; transparent pixels have the colours of their neighbours."""
        header, found, window = self._header, self._found, self.route.source
        if found.transparent:
            bleed = first_pass.hidden_colours(source, pool) if found.bleed is None else found.bleed
            rows = first_pass.opaque_colours(header, source.rows, window, bleed, pool)
        else:
            rows = regroup(source.rows, block_rows(header.width), window[1] - window[0])
        return rows if meter is None else _observed(rows, meter.add_source)

    def _steps(self, pipeline: Pipeline, *, studio: bool, part: bool) -> list[RowStep]:
        """What the planes go through, first to last."""
        size = self._header.height, self._header.width
        steps: list[RowStep] = []
        for stage in pipeline.stages:
            if stage.enlarge > 1:
                larger = size[0] * stage.enlarge, size[1] * stage.enlarge
                steps.append(ResizeStep(size, larger, "bicubic"))
                size = larger
            running = RunningStage(
                stage,
                size,
                self._codes.names,
                studio=studio,
                tile=pipeline.tile,
                tta=pipeline.tta,
                view=pipeline.view,
                part=part,
                lean=self._correction is not None,
            )
            steps.append(running)
            size = size[0] * stage.engine.scale, size[1] * stage.engine.scale
        if size != self._size:
            steps.append(ResizeStep(size, self._size, pipeline.kernel))
        return steps


def _observed(rows: Iterator[NDArray[Any]], observe: Callable[[NDArray[Any]], None]) -> Iterator[NDArray[Any]]:
    """The same rows, each of which `observe` gets first."""
    for strip in rows:
        observe(strip)
        yield strip


def _planar(rows: NDArray[Any]) -> Planes:
    return np.ascontiguousarray(rows.transpose(2, 0, 1), np.float32)


def _interleaved(planes: Planes) -> NDArray[Any]:
    return np.ascontiguousarray(planes.transpose(1, 2, 0))
