"""What an error map says about a whole image: the share of its pixels by expected error."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Bounds between the classes of expected error, in grey levels.
BOUNDS = (2.0, 4.0, 8.0, 16.0)


class ErrorShares:
    """Counts the pixels of an error map by expected error while its rows stream by."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(BOUNDS) + 1, np.int64)
        self._sum = 0.0

    def observed(self, rows: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Yields the same rows (h, W) in grey levels, and counts them."""
        for block in rows:
            classes = np.searchsorted(BOUNDS, block.ravel(), side="right")
            self._counts += np.bincount(classes, minlength=len(self._counts))
            self._sum += float(block.sum(dtype=np.float64))
            yield block

    @property
    def shares(self) -> dict[str, float]:
        """The share of pixels by expected error, such as {"below 2": 0.8, "2 to 4": 0.2 ...}; they sum to 1."""
        names = [f"below {BOUNDS[0]:g}"]
        names += [f"{low:g} to {high:g}" for low, high in itertools.pairwise(BOUNDS)]
        names.append(f"{BOUNDS[-1]:g} and more")
        total = max(1, int(self._counts.sum()))
        return {name: round(int(count) / total, 4) for name, count in zip(names, self._counts, strict=True)}

    @property
    def mean(self) -> float:
        """The mean expected error in grey levels."""
        return round(self._sum / max(1, int(self._counts.sum())), 3)
