"""Error maps: for each pixel of a result, the error of luma that it stays below with a probability of 90 %.

A small network reads the luma of the result, of the input, and of the input enlarged by bicubic. Its output, in grey
levels of 8 bits, is calibrated for each model. See docs/trust.md for what is promised and what was measured.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.resize import resample, taps
from hyperacuity.trust.calibration import Calibration
from hyperacuity.trust.luma import LumaSpool

if TYPE_CHECKING:
    import onnxruntime

SCALES = (2, 3, 4)
# Input pixels on each side of a pixel that its error is computed from: 1 + 4 + 8 by the features, 5 by the network.
REACH = 18
# Input pixels of a tile without its halo.
_ROWS, _COLUMNS = 64, 512
# Rows of the map that are passed on at once, so that what follows holds few of them.
_PASSED = 16


def find_scale(before: tuple[int, int], after: tuple[int, int]) -> int | None:
    """Returns the scale of an error map; None if there is no error map from (height, width) `before` to `after`."""
    return next((scale for scale in SCALES if (before[0] * scale, before[1] * scale) == after), None)


def scale_of(before: tuple[int, int], after: tuple[int, int]) -> int:
    """Returns the scale of an error map.

    Raises:
        UsageError: There is no error map from (height, width) `before` to `after`.
    """
    if (scale := find_scale(before, after)) is None:
        raise UsageError("error maps exist for results that are exactly 2, 3 or 4 times as large as their input")
    return scale


@functools.cache
def _session(scale: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest tile
    path = Path(__file__).with_name(f"error-x{scale}.onnx")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def predict(source: LumaSpool, result: LumaSpool, scale: int) -> Iterator[NDArray[np.float32]]:
    """Compute the error map before calibration, in tiles; few rows at a time.

    Args:
        source: The luma of the input.
        result: Of the result, `scale` times as large.
        scale: 2, 3 or 4.

    Yields:
        Rows (h, W) in grey levels, from top to bottom.
    """
    height, width = source.height, source.width
    down, across = taps(height, height * scale), taps(width, width * scale)
    for top in range(0, height, _ROWS):
        bottom = min(height, top + _ROWS)
        first, last = max(0, top - REACH), min(height, bottom + REACH)
        table = down[first * scale : last * scale]
        low, high = table.reach
        lr, sr = source.rows(low, high), result.rows(first * scale, last * scale)
        bicubic = resample(resample(lr, table.shifted(low), 0), across, 1)
        lr = lr[first - low : last - low]
        row = np.empty(((bottom - top) * scale, width * scale), np.float32)
        for left in range(0, width, _COLUMNS):
            right = min(width, left + _COLUMNS)
            start, stop = max(0, left - REACH), min(width, right + REACH)
            large = slice(start * scale, stop * scale)
            feeds = {"lr": lr[:, start:stop], "bicubic": bicubic[:, large], "result": sr[:, large]}
            errors = _session(scale).run(None, {name: plane[None, None] for name, plane in feeds.items()})[0][0, 0]
            inside = errors[(top - first) * scale :][: len(row), (left - start) * scale :]
            row[:, left * scale : right * scale] = inside[:, : (right - left) * scale]
        for start in range(0, len(row), _PASSED):
            yield row[start : start + _PASSED]


def error_rows(
    source: LumaSpool, result: LumaSpool, scale: int, calibration: Calibration
) -> Iterator[NDArray[np.float32]]:
    """Yields the rows of the calibrated error map, see `predict`."""
    for rows in predict(source, result, scale):
        yield calibration.apply(rows)


def compute_error_map(
    source: NDArray[np.float32], result: NDArray[np.float32], calibration: Calibration | None = None
) -> NDArray[np.float32]:
    """Return the error map of luma in memory.

    Args:
        source: The luma of the input (h, w) in grey levels, from `luma_levels`.
        result: Of the result, 2, 3 or 4 times as large.
        calibration: None for the uncalibrated output of the network.

    Returns:
        (H, W) in grey levels: 90 % of the pixels have an error of at most their value.

    Raises:
        UsageError: The result has another size.
    """
    scale = scale_of((source.shape[0], source.shape[1]), (result.shape[0], result.shape[1]))
    with LumaSpool(*source.shape) as small, LumaSpool(*result.shape) as large:
        small.add(source)
        large.add(result)
        return np.concatenate(list(error_rows(small, large, scale, calibration or Calibration())))
