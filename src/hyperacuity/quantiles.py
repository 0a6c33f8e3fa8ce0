"""Quantiles of numbers. NumPy's own functions import `numpy.ma`, which takes 15 ms of a short command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def quantiles(values: NDArray[Any], shares: Sequence[float]) -> NDArray[np.float64]:
    """Return the values below which these shares lie, with linear interpolation between neighbours.

    Args:
        values: At least one number; the order does not matter.
        shares: From 0 to 1.

    Example:
        >>> quantiles(np.array([3, 1, 2]), [0, 0.25, 1]).tolist()
        [1.0, 1.5, 3.0]
    """
    ordered = np.sort(values, axis=None)
    found: NDArray[np.float64] = np.interp(np.multiply(shares, len(ordered) - 1), np.arange(len(ordered)), ordered)
    return found


def median(values: NDArray[Any]) -> float:
    """Return the median of at least one number."""
    return float(quantiles(values, [0.5])[0])
