"""LR-PSNR: how near the reduction of a result is to its input, measured while the rows of the result stream by.

Source: Lugmayr et al.: "NTIRE 2021 Learning the Super-Resolution Space Challenge", CVPR Workshops 2021, section 2.3,
which asks for 45 dB.
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import HyperacuityWarning, Use
from hyperacuity.image import Header
from hyperacuity.resize import Taps, resample, resize, taps

# Results of more pixels than this are measured in bands of rows, evenly spaced, together about this large.
_MEASURED = 250_000
# Input rows of a band.
_BAND = 16
# Results of this LR-PSNR and more have lost nothing of their input, in dB.
CONSISTENT = 45.0
# Results below this depart from their input visibly, in dB; networks for clean images reach 40 to 60.
DEPARTING = 30.0
_CLEARLY = 2.0
# The largest value that is reported, in dB: equal images have an infinite one, which JSON cannot hold.
_HIGHEST = 100.0


class ConsistencyWarning(HyperacuityWarning):
    """A result departs from its input."""


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
        self._compared: list[NDArray[Any]] = []
        self._factors = height / header.height, width / header.width

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
        self._compared.append(wanted)
        reduced = resample(np.concatenate(band.made, axis=1), band.rows.shifted(band.rows.reach[0]), 1)
        self._squares += float(np.square(reduced - wanted, dtype=np.float64).sum())
        self._samples += wanted.size

    @classmethod
    def for_result(cls, header: Header, height: int, width: int) -> ConsistencyMeter | None:
        """Returns a meter for a result of that size; None if a side is smaller than the input's."""
        return cls(header, height, width) if height >= header.height and width >= header.width else None

    @property
    def lr_psnr(self) -> float:
        """Decibels over the rows measured so far; infinite for equal ones, NaN before any."""
        if not self._samples:
            return math.nan
        return self._decibels(self._squares / self._samples)

    @property
    def departs(self) -> bool:
        """Whether LR-PSNR is below `DEPARTING`, and clearly below that of a bicubic enlargement.

        The second condition passes over input such as noise, which not even a resampler keeps. A result of the input's
        own size does not depart from it: to change its pixels is all that it is for.
        """
        if not self.lr_psnr < DEPARTING or self._factors == (1, 1):
            return False
        squares = 0.0
        for wanted in self._compared:
            band = wanted.transpose(1, 2, 0).astype(np.float32)
            height, width = band.shape[:2]
            larger = round(height * self._factors[0]), round(width * self._factors[1])
            reduced = resize(resize(band, size=larger), size=(height, width))
            squares += float(np.square(reduced - band, dtype=np.float64).sum())
        return self.lr_psnr < self._decibels(squares / self._samples) - _CLEARLY

    def _decibels(self, error: float) -> float:
        black, white = self._header.levels
        return -10 * math.log10(error / (white - black) ** 2) if error else math.inf


def lowest_lr_psnr(meters: Iterable[ConsistencyMeter | None]) -> float | None:
    """Returns the lowest LR-PSNR in dB, at most 100; None if nothing was measured.

    Example:
        >>> lowest_lr_psnr([None]) is None
        True
    """
    values = [meter.lr_psnr for meter in meters if meter is not None]
    found = [value for value in values if not math.isnan(value)]
    return round(min(_HIGHEST, *found), 2) if found else None


def warn_of_departure(meters: Iterable[ConsistencyMeter | None], name: str) -> None:
    """Warn if a result departs from its input so far that its details are not those of the input."""
    departing = [meter for meter in meters if meter is not None and meter.departs]
    if lr_psnr := lowest_lr_psnr(departing):
        message = f"{name}: the result departs from its input (LR-PSNR {lr_psnr:.1f} dB, below {DEPARTING:.0f})"
        warnings.warn(ConsistencyWarning(message, Use(faithful=1)), stacklevel=3)
