"""The nearest image whose reduction equals the input: a correction of any result, as tables of taps for each axis.

For a result x, the input y and the degradation A, the reference resampler (MATLAB's bicubic with antialiasing), that
image is x + A^T (A A^T)^-1 (y - A x). A works on rows and columns independently, so each factor does as well and is a
table for each axis. A A^T has a condition of about 2 on an axis: the rows of its inverse fall quickly, and are cut off
where float32 no longer sees them.

Source: Bahat, Michaeli: "Explorable Super Resolution", CVPR 2020, arXiv 1912.01839, section 3 (there with filters in
the frequency domain, for whole scales).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.resize import Taps, taps

# How many input pixels on either side of another one its row of (A A^T)^-1 reaches: the outermost weight
# is below `_NEGLIGIBLE` of the largest; 13 at most scales, more between 1 and 1.5.
_LEAST_REACH = 13
_NEGLIGIBLE = 1e-6
# (A A^T)^-1 is computed for this number of input pixels at a time.
_WINDOW = 96


@dataclass(frozen=True)
class AxisProjection:
    """The three factors of the correction of one axis, as tables for `resize.resample`.

    Attributes:
        reduction: A, from the result to the input.
        inverse: (A A^T)^-1, from the input to the input; rows do not sum to 1.
        adjoint: A^T, from the input to the result; likewise.
    """

    reduction: Taps
    inverse: Taps
    adjoint: Taps


def damping_of(faithful: float | str | None) -> float | None:
    """Returns the `damping` of `axis_projection` for a faithfulness; None for no correction.

    Args:
        faithful: 1 for exact consistency, less for a damping of 1 - faithful, 0 or None for no correction; "auto" is
            exact, as for clean input.

    Example:
        >>> damping_of(0.75)
        0.25
    """
    if faithful == "auto":
        return 0.0
    return 1 - float(faithful) if faithful else None


@functools.lru_cache(64)
def axis_projection(source: int, target: int, damping: float = 0.0) -> AxisProjection:
    """Make the tables of an axis.

    Args:
        source: Samples of the axis of the input.
        target: Samples of the axis of the result, at least as many.
        damping: 0 makes the corrected result consistent exactly. More, up to 1, corrects less where the reduction keeps
            little, so that noise of the input is amplified less: A A^T + damping * source / target takes the place of
            A A^T, whose largest eigenvalue is source / target.

    Raises:
        UsageError: If the result is smaller than the input, or the damping is not between 0 and 1.

    Example:
        >>> axis = axis_projection(3, 6)
        >>> len(axis.reduction), len(axis.inverse), len(axis.adjoint)
        (3, 3, 6)
    """
    if target < source:
        raise UsageError(f"a result of {target} pixels cannot be consistent with an input of {source}")
    if not 0 <= damping <= 1:
        raise UsageError(f"a damping of {damping}: give a number from 0 to 1")
    reduction = taps(target, source)
    reach = _LEAST_REACH
    while True:
        inverse = _inverse(reduction, damping * source / target, reach)
        outermost = np.abs(inverse.weights[reach:-reach, [0, -1]]).max(initial=0)
        if inverse.weights.shape[1] == source or outermost < _NEGLIGIBLE * np.abs(inverse.weights).max():
            return AxisProjection(reduction, inverse, _adjoint(reduction, target))
        reach *= 2


def _inverse(reduction: Taps, damping: float, reach: int) -> Taps:
    """(A A^T + damping)^-1, each row cut off after `reach` samples on both sides."""
    source = len(reduction)
    count = min(source, 2 * reach + 1)
    index = np.clip(np.arange(source) - reach, 0, source - count)[:, None] + np.arange(count)
    weights = np.empty(index.shape)
    for start in range(0, source, _WINDOW):
        stop = min(source, start + _WINDOW)
        low, high = max(0, start - 2 * reach), min(source, stop + 2 * reach)
        rows = _dense(reduction[low:high])
        inverse = np.linalg.inv(rows @ rows.T + damping * np.eye(high - low))
        weights[start:stop] = np.take_along_axis(inverse[start - low : stop - low], index[start:stop] - low, 1)
    return Taps(index, weights)


def _adjoint(table: Taps, target: int) -> Taps:
    """A table's transpose: which outputs read each of the `target` samples, and with what weight."""
    outputs = np.repeat(np.arange(len(table)), table.index.shape[1])
    order = np.argsort(table.index, axis=None, kind="stable")
    read, outputs, weights = table.index.ravel()[order], outputs[order], table.weights.ravel()[order]
    first = np.searchsorted(read, np.arange(target + 1))
    place = np.arange(len(read)) - first[read]  # the number of this reader among those of its sample
    count = int(np.diff(first).max())
    # Samples with fewer readers repeat one with a weight of 0, so that the table stays narrow.
    last = np.clip(first[1:] - 1, 0, None)
    index = np.repeat(outputs[last][:, None], count, 1)
    spread = np.zeros(index.shape)
    index[read, place], spread[read, place] = outputs, weights
    return Taps(index, spread)


def _dense(table: Taps) -> NDArray[np.float64]:
    """The table as a matrix of the source samples that it reads."""
    first, last = table.reach
    matrix = np.zeros((len(table), last - first))
    np.add.at(matrix, (np.arange(len(table))[:, None], table.index - first), table.weights)
    return matrix
