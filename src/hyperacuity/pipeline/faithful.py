"""Corrects a stream of rows so that its reduction equals the input; see `trust.projection`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

from hyperacuity.pipeline.planes import Planes
from hyperacuity.pipeline.rows import DelayedRows, Finish, RowRange, block_rows, map_ahead, resample_rows, windows
from hyperacuity.resize import resample
from hyperacuity.trust import axis_projection

# Rows of the input that are compared at a time: this part of a block.
_FEWER = 4


class Correction:
    """The correction of one image, or of some of its result's rows.

    The rows that are held at a time are few: the reach of the projection.

    Args:
        size: (height, width) of the input.
        target: Those of the result, not smaller.
        colour: The planes to correct; the others, alpha, stay as they are.
        damping: See `axis_projection`.
        rows: Of the result.
    """

    def __init__(
        self, size: tuple[int, int], target: tuple[int, int], colour: slice, damping: float, rows: RowRange
    ) -> None:
        down, self._across = (axis_projection(*sides, damping) for sides in zip(size, target, strict=True))
        self._colour, self._width, self._rows = colour, size[1], rows
        self._adjoint = down.adjoint[slice(*rows)]
        self._solved = self._adjoint.reach
        self._inverse = down.inverse[slice(*self._solved)]
        self.wanted = self._inverse.reach
        """The rows of the input that are compared with the reduction of the result."""
        self._reduction = down.reduction[slice(*self.wanted)]
        first, last = self._reduction.reach
        self.reads = min(first, rows[0]), max(last, rows[1])
        """The rows of the result, before the correction, that are needed."""

    def stream(
        self,
        wanted: Iterable[Planes],
        pool: Executor | None,
        strips: Iterable[Planes],
        finish: Finish,
        tops: tuple[int, int] = (0, 0),
    ) -> Iterator[Any]:
        """Correct the rows of the result.

        Args:
            wanted: The input's rows, that is, what the reduction of the result should be.
            pool: The threads; None computes in this one.
            strips: The result's rows.
            finish: Called with each block of corrected rows.
            tops: The numbers of the first rows of `wanted` and of `strips`.
        """
        across, colour = self._across, self._colour
        delayed = DelayedRows(strips, tops[1])

        def residual(reduced: Planes, block: Planes) -> Planes:
            return resample(block[colour] - reduced, across.inverse, -1)

        def corrected(correction: Planes, block: Planes) -> Any:
            block[colour] += correction
            return finish(block)

        narrow = map_ahead(pool, delayed.strips(), lambda strip: resample(strip[colour], across.reduction, -1))
        # These two are small. Each block that a pool computed ahead would hold many more rows of the result, and so
        # would blocks of more rows.
        step = max(1, block_rows(self._width) // _FEWER)
        compared = _blocks(wanted, self.wanted, step, tops[0])
        residuals = resample_rows(None, narrow, self._reduction, step, residual, compared, top=tops[1])
        solved = resample_rows(
            None,
            residuals,
            self._inverse,
            step,
            lambda block: resample(block, across.adjoint, -1),
            top=self.wanted[0],
        )
        step = block_rows(len(across.adjoint))
        rows = delayed.blocks(self._rows, step)
        return resample_rows(pool, solved, self._adjoint, step, corrected, rows, top=self._solved[0])


def _blocks(strips: Iterable[Planes], rows: RowRange, step: int, top: int) -> Iterator[Planes]:
    """Regroup the rows of a stream of planes, which begins at `top`, into blocks of `step` rows."""
    return windows(strips, [(first, min(rows[1], first + step)) for first in range(*rows, step)], top)
