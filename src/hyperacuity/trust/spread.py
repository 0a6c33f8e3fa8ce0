"""Error maps from the spread of several results: of turned and flipped input, or of samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hyperacuity.trust.calibration import Calibration
from hyperacuity.trust.moments import Moments

# What an error map may be computed from.
SOURCES = ("network", "tta", "samples")
# The spread of a few results is noisy, so it is averaged over this many pixels on each side.
REACH = 3
# What is added to it, in grey levels, since results may agree and be wrong.
_FLOOR = 0.1
_ROWS = 64


def smoothed_spread(moments: Moments, calibration: Calibration) -> Iterator[NDArray[np.float32]]:
    """Yields the rows (h, W) of an error map.

    Args:
        moments: Several results.
        calibration: What makes errors of a spread.
    """
    height = moments.header.height
    for top in range(0, height, _ROWS):
        bottom = min(height, top + _ROWS)
        first, last = max(0, top - REACH), min(height, bottom + REACH)
        rows = np.pad(
            moments.spread(first, last).astype(np.float64),
            ((REACH - (top - first), REACH - (last - bottom)), (REACH, REACH)),
            mode="edge",
        )
        for axis in (0, 1):
            total = np.cumsum(np.insert(rows, 0, 0, axis), axis)
            length = 2 * REACH + 1
            rows = (
                np.take(total, range(length, total.shape[axis]), axis)
                - np.take(total, range(total.shape[axis] - length), axis)
            ) / length
        yield calibration.apply((np.maximum(rows, 0) + _FLOOR).astype(np.float32))
