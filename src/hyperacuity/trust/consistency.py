"""LR-PSNR: how near the reduction of a result is to its input, measured while the rows of the result stream by.

Source: Lugmayr et al.: "NTIRE 2021 Learning the Super-Resolution Space Challenge", CVPR Workshops 2021, section 2.3,
which asks for 45 dB.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.image import Header
from hyperacuity.resize import Taps, resample, taps

# Results of more pixels than this are measured in bands of rows, evenly spaced, together about this large.
_MEASURED = 250_000
# Input rows of a band.
_BAND = 16


@dataclass
class _Band:
    """Input rows that are measured: what they hold, and the rows of the result that they are reduced from."""

    rows: Taps
    start: int
    wanted: list[NDArray[Any]] = field(default_factory=list)
    made: list[NDArray[np.float32]] = field(default_factory=list)


class ConsistencyMeter:
    """Compares a result with its input; both are added row by row, the input ahead of the result.

    Args:
        header: The input's.
        height: Of the result, in pixels.
        width: Likewise.

    Example:
        >>> from hyperacuity.image import Image
        >>> pixels = np.full((4, 4, 3), 7, np.uint8)
        >>> meter = ConsistencyMeter(Image.from_pixels(pixels).header, 8, 8)
        >>> meter.add_source(pixels)
        >>> meter.add_result(np.full((8, 8, 3), 8, np.uint8))
        >>> round(meter.lr_psnr, 1)
        48.1
    """

    def __init__(self, header: Header, height: int, width: int) -> None:
        self._header, self._columns = header, taps(width, header.width)
        rows = taps(height, header.height)
        count = -(-header.height // _BAND)
        step = max(1, round(height * width / _MEASURED))
        first = min(step // 2, count - 1)
        bands = [_Band(rows[n * _BAND : (n + 1) * _BAND], n * _BAND) for n in range(first, count, step)]
        self._waiting, self._open = deque(bands), deque(bands)
        self._read = self._written = 0
        self._squares, self._samples = 0.0, 0

    def add_source(self, rows: NDArray[Any]) -> None:
        """Add the next rows (h, W, C) of the input, as stored."""
        start, stop = self._read, self._read + len(rows)
        self._read = stop
        for band in self._waiting:
            if band.start >= stop:
                break
            cut = slice(max(start, band.start), min(stop, band.start + len(band.rows)))
            if cut.start < cut.stop:
                band.wanted.append(rows[cut.start - start : cut.stop - start, :, : self._header.colours].copy())
        while self._waiting and self._waiting[0].start + len(self._waiting[0].rows) <= stop:
            self._waiting.popleft()

    def add_result(self, rows: NDArray[Any]) -> None:
        """Add the next rows (h, W, C) of the result, as stored."""
        start, stop = self._written, self._written + len(rows)
        self._written = stop
        for band in self._open:
            first, last = band.rows.reach
            if first >= stop:
                break
            cut = slice(max(start, first), min(stop, last))
            if cut.start < cut.stop:
                planes = rows[cut.start - start : cut.stop - start, :, : self._header.colours].transpose(2, 0, 1)
                band.made.append(resample(planes.astype(np.float32), self._columns, -1))
        while self._open and self._open[0].rows.reach[1] <= stop:
            self._compare(self._open.popleft())

    def _compare(self, band: _Band) -> None:
        wanted = np.concatenate(band.wanted).transpose(2, 0, 1)
        reduced = resample(np.concatenate(band.made, axis=1), band.rows.shifted(band.rows.reach[0]), 1)
        self._squares += float(np.square(reduced - wanted, dtype=np.float64).sum())
        self._samples += wanted.size

    @property
    def lr_psnr(self) -> float:
        """Decibels over the rows measured so far; infinite for equal ones, NaN before any."""
        if not self._samples:
            return math.nan
        black, white = self._header.levels
        error = self._squares / self._samples / (white - black) ** 2
        return -10 * math.log10(error) if error else math.inf
