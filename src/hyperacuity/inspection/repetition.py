"""Whether an image was enlarged by repeating its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hyperacuity.inspection.sampling import Plane

# Fewer borders than these between different columns, or rows, could lie at even distances by chance.
_FEWEST = 16


def measure_repetition(crops: Sequence[Plane]) -> int:
    """Measure how many times each pixel is repeated along both sides.

    Borders between different columns lie only at multiples of that number, and so do those between rows: their greatest
    common divisor is taken, over all crops, wherever the first of them lies.

    Args:
        crops: Luma of a photo. In drawn images, such as pixel art, repeated pixels are no fault.

    Returns:
        The number, at least 1; the smaller one if both sides differ.
    """
    return min(_along(crops), _along([crop.T for crop in crops]))


def _along(planes: Sequence[Plane]) -> int:
    """The greatest common divisor of the distances between columns that differ from the one before."""
    divisor = count = 0
    for plane in planes:
        borders = np.flatnonzero((np.diff(plane, axis=1) != 0).any(axis=0))
        divisor = int(np.gcd.reduce(np.diff(borders), initial=divisor))
        count += len(borders)
        if divisor == 1:
            return 1
    return divisor if count >= _FEWEST else 1
