"""Corrects a stream of rows so that its reduction equals the input; see `trust.projection`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np

from hyperacuity.pipeline.planes import Planes
from hyperacuity.pipeline.rows import Finish, block_rows, fork, map_ahead, resample_rows, windows
from hyperacuity.resize import resample
from hyperacuity.trust import axis_projection


def correct_stream(
    size: tuple[int, int],
    target: tuple[int, int],
    colour: slice,
    damping: float,
    wanted: Iterable[Planes],
    pool: Executor | None,
    strips: Iterable[Planes],
    finish: Finish,
) -> Iterator[Any]:
    """Correct the rows of a result; those held at a time are few: the reach of the projection.

    Args:
        size: (height, width) of the input.
        target: Those of the result, not smaller.
        colour: The planes to correct; the others, alpha, stay as they are.
        damping: See `axis_projection`.
        wanted: The input's rows, that is, what the reduction of the result should be.
        pool: The threads; None computes in this one.
        strips: The result's rows.
        finish: Called with each block of corrected rows.
    """
    down, across = (axis_projection(*sides, damping) for sides in zip(size, target, strict=True))
    height, width = size
    ahead, behind = fork(strips)

    def residual(reduced: Planes, block: Planes) -> Planes:
        return resample(block[colour] - reduced, across.inverse, -1)

    def corrected(correction: Planes, block: Planes) -> Any:
        total = np.array(block)
        total[colour] += correction
        return finish(total)

    narrow = map_ahead(pool, ahead, lambda strip: resample(strip[colour], across.reduction, -1))
    # These two are small, and each block that a pool computes ahead would hold many more rows of the result.
    residuals = resample_rows(None, narrow, down.reduction, width, residual, _blocks(wanted, height, width))
    solved = resample_rows(None, residuals, down.inverse, width, lambda block: resample(block, across.adjoint, -1))
    return resample_rows(pool, solved, down.adjoint, target[1], corrected, _blocks(behind, *target))


def _blocks(strips: Iterable[Planes], height: int, width: int) -> Iterator[Planes]:
    """Regroup a stream of planes into the blocks of `resample_rows`."""
    rows = block_rows(width)
    return windows(strips, [(top, min(height, top + rows)) for top in range(0, height, rows)])
