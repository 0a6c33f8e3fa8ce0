"""Joins all steps into one stream of rows: codes, the networks of the chain, and a resize to the requested size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import OutOfMemory
from hyperacuity.image import Image, Strips
from hyperacuity.pipeline import first_pass, wide
from hyperacuity.pipeline.codes import Codes
from hyperacuity.pipeline.faithful import correct_stream
from hyperacuity.pipeline.first_pass import Facts
from hyperacuity.pipeline.planes import Planes
from hyperacuity.pipeline.rows import RowStep, block_rows, fork, map_ahead, pixel_pool, regroup, resize_stream
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

    def stream(self, source: Image | Strips, height: int, width: int, meter: ConsistencyMeter | None = None) -> Strips:
        """Resize an image, computed while the rows of the result are read.

        Depth, levels, alpha and metadata stay as they are. Rows in memory at a time are few, so an image may be larger
        than memory if its strips can be read again, or need no first pass (see `pipeline.first_pass`).

        Args:
            source: An image in memory, or one whose rows come as they are read. Strips of floats or with alpha are read
                once here, and again, up to twice, with the result; all rows are gathered if they can be read only once.
            height: Of the result, in pixels.
            width: Likewise.
            meter: Gets the rows of the image and of the result.

        Returns:
            The result's rows, which can be read once. Reading them raises `BadOutput` when a network returns an invalid
            result, `OutOfMemory` when not even the smallest tiles fit, and `DamagedFile` when `source` has too few or
            too many rows.

        Raises:
            UsageError: If the image contains NaN or Inf.
            DamagedFile: If a first pass finds too few or too many rows.
        """
        strips = first_pass.rereadable(source.strips() if isinstance(source, Image) else source)
        meter = meter if strips.header.measured is None else None
        rows = self._rows(strips, first_pass.survey(strips), height, width, meter)
        rows = rows if meter is None else _observed(rows, meter.add_result)
        return Strips(strips.header.resized(height, width), rows)

    def _rows(
        self, source: Strips, found: Facts, height: int, width: int, meter: ConsistencyMeter | None
    ) -> Iterator[NDArray[Any]]:
        pool = pixel_pool()
        measured = source.header.measured
        # A grey image stays in studio range if all networks are on luma, and so do bands.
        separate = measured is not None or source.header.colours == 1
        studio = separate and {stage.engine.channels for stage in self.stages} == {1}
        codes = Codes.for_image(source.header, found, studio=studio)
        steps = self._steps(source, codes, height, width, studio=studio)
        size = source.header.height, source.header.width
        corrected = self.damping is not None and measured is None and height >= size[0] and width >= size[1]
        correct = functools.partial(correct_stream, size, (height, width), codes.names.colour, self.damping or 0.0)
        try:
            if measured is not None and (not steps or measured.categorical or not found.has_valid):
                yield from wide.copy_nearest(source, height, width)
            elif measured is not None or (codes.beyond and self.stages):
                rows = _stored_rows(source, found, pool, meter)
                if corrected:  # on stored values, since those beyond the range do not pass through the planes
                    rows, wanted = fork(rows)
                    made = wide.stream(source.header, rows, found, codes, steps, (height, width), pool)
                    made = correct(map(_planar, wanted), pool, map(_planar, made), _interleaved)
                else:
                    made = wide.stream(source.header, rows, found, codes, steps, (height, width), pool)
                yield from made
            else:
                rows = _stored_rows(source, found, pool, meter)
                if corrected:  # what waits for the result is kept as stored, which takes a quarter of the memory
                    rows, wanted = fork(rows)
                    steps.append(functools.partial(correct, map(codes.to_planes, wanted)))
                first = strips = map_ahead(pool, rows, codes.to_planes)
                for step in steps[:-1]:
                    strips = step(pool, strips, lambda block: block)
                last = steps[-1] if steps else map_ahead
                yield from last(pool, strips, codes.to_stored)
                for _ in first:  # Missing or surplus rows must raise, even if no result depends on them.
                    pass
        except OutOfMemory:
            raise
        except MemoryError as error:  # outside the network, where smaller tiles do not help
            raise OutOfMemory(
                f"memory ran out for rows of {width} pixels; close other programs or ask for a smaller result"
            ) from error

    def _steps(self, source: Strips, codes: Codes, height: int, width: int, *, studio: bool) -> list[RowStep]:
        """What the planes go through, first to last."""
        size = source.header.height, source.header.width
        steps: list[RowStep] = []
        for stage in self.stages:
            if stage.enlarge > 1:
                larger = size[0] * stage.enlarge, size[1] * stage.enlarge
                steps.append(functools.partial(resize_stream, size, larger, "bicubic"))
                size = larger
            running = RunningStage(
                stage,
                size,
                codes.names,
                studio=studio,
                tile=self.tile,
                tta=self.tta,
                view=self.view,
                lean=self.damping is not None,
            )
            steps.append(running.stream)
            size = size[0] * stage.engine.scale, size[1] * stage.engine.scale
        if size != (height, width):
            steps.append(functools.partial(resize_stream, size, (height, width), self.kernel))
        return steps


def _stored_rows(
    source: Strips, found: Facts, pool: Executor, meter: ConsistencyMeter | None
) -> Iterator[NDArray[Any]]:
    """The image's rows as stored, a block at a time; transparent pixels have the colours of their neighbours."""
    if found.transparent:
        rows = first_pass.opaque_colours(source, pool)
    else:
        rows = regroup(source.rows, block_rows(source.header.width), source.header.height)
    return rows if meter is None else _observed(rows, meter.add_source)


def _observed(rows: Iterator[NDArray[Any]], observe: Callable[[NDArray[Any]], None]) -> Iterator[NDArray[Any]]:
    """The same rows, each of which `observe` gets first."""
    for strip in rows:
        observe(strip)
        yield strip


def _planar(rows: NDArray[Any]) -> Planes:
    return np.ascontiguousarray(rows.transpose(2, 0, 1), np.float32)


def _interleaved(planes: Planes) -> NDArray[Any]:
    return np.ascontiguousarray(planes.transpose(1, 2, 0))
