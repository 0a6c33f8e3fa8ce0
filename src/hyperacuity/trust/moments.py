"""The mean and the spread of several results of one size, while their rows stream by; kept on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hyperacuity.image import Header
from hyperacuity.trust.luma import luma_levels


class Moments:
    """The running mean of all channels, and the spread of luma.

    Args:
        header: Of the results.

    Example:
        >>> header = Header(1, 1, 1, np.dtype(np.uint8), (0, 255))
        >>> with Moments(header) as moments:
        ...     for value in (3, 5):
        ...         moments.begin()
        ...         moments.add(np.full((1, 1, 1), value, np.uint8))
        ...     mean, spread = next(moments.blocks())
        >>> int(mean[0, 0, 0]), round(float(spread[0, 0]), 3)
        (4, 1.414)
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        # The sum of each channel; the mean of luma; the sum of its squared deviations. Source of the update: Welford:
        # "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics 4(3), 1962.
        self._planes = header.channels + 2
        self._file = tempfile.TemporaryFile(prefix="hyperacuity-")  # noqa: SIM115 - closed by `__exit__`
        self._count = self._row = 0

    def begin(self) -> None:
        """Begin the next result."""
        self._count += 1
        self._row = 0

    def add(self, rows: NDArray[Any]) -> None:
        """Add the next rows (h, W, C) of a result, as stored."""
        luma = luma_levels(rows, self.header)
        kept = np.zeros((*luma.shape, self._planes), np.float32) if self._count == 1 else self._read(len(rows))
        before = luma - kept[..., -2]
        kept[..., :-2] += rows
        kept[..., -2] += before / np.float32(self._count)
        kept[..., -1] += before * (luma - kept[..., -2])
        self._seek()
        self._file.write(kept.tobytes())
        self._row += len(rows)

    def blocks(self, height: int = 64) -> Iterator[tuple[NDArray[Any], NDArray[np.float32]]]:
        """Yields the mean (h, W, C), as stored, and the standard deviation of luma (h, W) in grey levels."""
        for top in range(0, self.header.height, height):
            self._row = top
            kept = self._read(min(height, self.header.height - top))
            mean = kept[..., :-2] / np.float32(self._count)
            mean = np.rint(mean) if self.header.dtype.kind in "ui" else mean
            yield mean.astype(self.header.dtype), self._deviation(kept)

    def spread(self, start: int, stop: int) -> NDArray[np.float32]:
        """Returns rows `start` to `stop` of the standard deviation of luma, in grey levels."""
        self._row = start
        return self._deviation(self._read(stop - start))

    def _deviation(self, kept: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = np.sqrt(kept[..., -1] / np.float32(max(1, self._count - 1)))
        return result

    def _read(self, height: int) -> NDArray[np.float32]:
        self._seek()
        data = self._file.read(4 * height * self.header.width * self._planes)
        return np.frombuffer(data, np.float32).reshape(height, self.header.width, self._planes).copy()

    def _seek(self) -> None:
        self._file.seek(4 * self._row * self.header.width * self._planes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
