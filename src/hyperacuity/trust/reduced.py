"""A small copy of an image for reports, made while its rows stream by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The longest side of a copy in pixels.
SIDE = 480


class ReducedImage:
    """The means of squares of an image's pixels: as many that no side of the copy is longer than `SIDE`.

    Args:
        height: Rows of the image.
        width: Its columns.

    Example:
        >>> reduced = ReducedImage(2, 2 * SIDE)
        >>> reduced.add(np.tile(np.uint8([[0, 4]]), (2, SIDE)))
        >>> reduced.pixels.shape, float(reduced.pixels[0, 0])
        ((1, 480), 2.0)
    """

    def __init__(self, height: int, width: int) -> None:
        self._step = max(1, -(-max(height, width) // SIDE))
        self._missing = height
        self._columns = np.arange(0, width, self._step)
        self._counts = np.diff(self._columns, append=width)
        self._sum: NDArray[np.float32] | None = None
        self._summed = 0
        self._kept: list[NDArray[np.float32]] = []

    def add(self, rows: NDArray[Any]) -> None:
        """Add the next rows, (h, W) or (h, W, C)."""
        top = 0
        while top < len(rows):
            part = rows[top : top + self._step - self._summed]
            total = part.sum(0, dtype=np.float32)
            self._sum = total if self._sum is None else self._sum + total
            top += len(part)
            self._summed += len(part)
            self._missing -= len(part)
            if self._summed == self._step or not self._missing:
                sums = np.add.reduceat(self._sum, self._columns)
                counts = (self._counts * self._summed).astype(np.float32)
                means = (sums / counts.reshape(-1, *(1,) * (sums.ndim - 1))).astype(np.float32)
                self._kept.append(means)
                self._sum, self._summed = None, 0

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The copy, when all rows are added."""
        return np.stack(self._kept)


class ReducedImages(NamedTuple):
    """Small copies of the images of a report.

    Attributes:
        source: The input in grey levels of 8 bits, (h, w, 1 or 3).
        result: Likewise.
        errors: The error map in grey levels (h, w); None if there is none.
    """

    source: NDArray[np.uint8]
    result: NDArray[np.uint8]
    errors: NDArray[np.float32] | None
