"""The values of measurements: which are valid, and which of them become 0 and 1 for a network.

Networks are trained on values from 0 to 1 and are far from linear outside (Acute: up to 14 dB below bicubic), and poor
in a small part of the range. So `RangeFinder` finds the range of the valid values, which becomes [0, 1]. What lies
beyond is enlarged by bicubic and added, so that nothing is clipped. `fill_nearest` fills pixels without a measurement.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.image import BandRange, Header, Measured, Strips, Survey

Array = NDArray[Any]

# The share of values at each end that is not trusted.
_TAIL = 0.001
# A sample of this many values is enough for quantiles of values that are not counted one by one.
_SAMPLE = 1 << 16
# Values that are counted, or looked for, at a time: their copies have several times the size of the values.
_PART = 1 << 18
# The largest values of a type whose sums, squares in float64 and overshoots stay finite. Larger ones often mark missing
# values.
_LARGEST = {4: 1e37, 8: 1e140}
# How many ranges of a band its values may lie outside: planes are float32.
_FARTHEST = 1e36
# How far, in pixels along a column, valid values are carried into areas without one: further than networks look.
REACH = 96


def exact_type(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Returns the type of floats in which stored values are computed: float32 holds integers up to 2^24 only.

    Args:
        dtype: The type of the stored values.

    Example:
        >>> exact_type(np.dtype(np.uint16)).__name__, exact_type(np.dtype(np.int32)).__name__
        ('float32', 'float64')
    """
    return np.float64 if dtype.itemsize > 2 and dtype != np.float32 else np.float32


class RangeFinder:
    """Finds the range of the valid values of a band, an image or a series that arrive in parts.

    Integers of up to 16 bits are counted one by one. Of many others, an evenly spread sample is kept,
    which does not depend on how the values are divided into parts.

    Args:
        dtype: The type of the values.

    Example:
        >>> finder = RangeFinder(np.dtype(np.float64))
        >>> finder.add(np.array([*range(1001), 20_000.0]))
        >>> found = finder.find()
        >>> found.low, found.high, found.most
        (0.0, 1000.0, 20000.0)
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._counts: NDArray[np.int64] | None = None
        if dtype.kind in "iu" and dtype.itemsize <= 2:
            limits = np.iinfo(dtype)
            self._lowest = limits.min
            self._counts = np.zeros(limits.max - limits.min + 1, np.int64)
        self._parts: list[NDArray[np.float64]] = []
        self._held, self._step, self._seen = 0, 1, 0
        self._least, self._most, self._sum = math.inf, -math.inf, 0.0

    def add(self, values: Array) -> None:
        """Add valid values of any shape.

        Raises:
            UsageError: If one of them is so large that computing with it would overflow.
        """
        values = values.ravel()
        if not values.size:
            return
        if self._counts is not None:
            # The offset makes signed values indexes; int32 holds both. Counting copies the values, so a part at a time.
            for part in (values[first : first + _PART] for first in range(0, values.size, _PART)):
                self._counts += np.bincount(part.astype(np.int32) - self._lowest, minlength=len(self._counts))
            self._seen += values.size
            return
        self._least, self._most = min(self._least, float(values.min())), max(self._most, float(values.max()))
        if values.dtype.kind == "f" and max(-self._least, self._most) > _LARGEST.get(values.itemsize, math.inf):
            raise _too_large(self._least, self._most)
        self._sum += float(values.sum(dtype=np.float64))
        part = values[-self._seen % self._step :: self._step].astype(np.float64)
        self._seen += values.size
        self._parts.append(part)
        self._held += part.size
        while self._held > 2 * _SAMPLE:
            self._parts = [np.concatenate(self._parts)[::2]]
            self._held = self._parts[0].size
            self._step *= 2

    def find(self) -> BandRange | None:
        """Return the range; None if there was no value.

        One span between the quantiles 0.1 % and 99.9 % is added on both sides. The range ends at the last values
        inside, so a single hot pixel far away does not widen it.

        Raises:
            UsageError: If a value is so far outside that computing with it would overflow.
        """
        if not self._seen:
            return None
        if self._counts is not None:
            present = np.flatnonzero(self._counts)
            weights, levels = self._counts[present], (present + self._lowest).astype(np.float64)
            mean = float(weights @ levels) / self._seen
            self._least, self._most = float(levels[0]), float(levels[-1])
            below = np.cumsum(weights)
            low, high = (
                float(levels[np.searchsorted(below, share * self._seen, side="right").clip(max=len(levels) - 1)])
                for share in (_TAIL, 1 - _TAIL)
            )
        else:
            levels = np.concatenate(self._parts)
            mean = self._sum / self._seen
            ends = [int(share * (levels.size - 1)) for share in (_TAIL, 1 - _TAIL)]
            levels = np.partition(levels, ends)
            low, high = (float(levels[end]) for end in ends)
        span = high - low
        if span == 0:
            return BandRange(self._least, self._most, self._least, self._most, mean)
        inside = levels[(levels >= low - span) & (levels <= high + span)]
        first, last = float(inside.min()), float(inside.max())
        # The extremes may be missing in a sample.
        first = self._least if self._least >= low - span else first
        last = self._most if self._most <= high + span else last
        if max(last - self._least, self._most - first) > _FARTHEST * (last - first):
            raise _too_large(self._least, self._most)
        return BandRange(first, last, self._least, self._most, mean)


def _too_large(least: float, most: float) -> UsageError:
    return UsageError(
        f"the values from {least:g} to {most:g} are too large to compute with: divide them by a constant, or, if the "
        "extreme ones mark missing values, replace them by NaN or declare them as no data"
    )


def find_valid(rows: Array, header: Header) -> NDArray[np.bool_]:
    """Return which values are measurements.

    Args:
        rows: (h, W, channels) as stored.
        header: Of a measured image.

    Returns:
        (h, W, bands) of bool.
    """
    measured = header.measured or Measured()
    bands = rows[..., : header.colours]
    valid = np.isfinite(bands) if bands.dtype.kind == "f" else np.ones(bands.shape, np.bool_)
    if measured.invalid is not None:
        low, high = measured.invalid
        valid &= (bands < low) | (bands > high)
    if measured.mask:
        valid &= rows[..., -1:] != 0
    return valid


def survey(strips: Strips) -> Survey:
    """Read a measured image once, and find the range of each band and the number of invalid values.

    Args:
        strips: Rows that can be read again afterwards.
    """
    surveyor = Surveyor(strips.header)
    for rows in strips.rows:
        surveyor.add(rows)
    return surveyor.finish()


class Surveyor:
    """Makes the survey of measured images that arrive in parts: rows of one image, or all images of a series.

    Args:
        header: What the images have in common: type, channels, invalid values.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._finders = [RangeFinder(header.dtype) for _ in range(header.colours)]
        self._invalid = 0

    def add(self, rows: Array) -> None:
        """Add rows (h, W, channels) as stored."""
        valid = find_valid(rows, self._header)
        missing = int(valid.size - np.count_nonzero(valid))
        self._invalid += missing
        for n, finder in enumerate(self._finders):
            finder.add(rows[..., n][valid[..., n]] if missing else rows[..., n])

    def finish(self) -> Survey:
        """Return the survey of everything that was added."""
        return Survey(tuple(finder.find() for finder in self._finders), self._invalid)


def fill_nearest(planes: Array, otherwise: Array) -> Array:
    """Fill NaN from the nearest value along the column or the row.

    Values are carried at most `REACH` rows along columns, so rows further away do not change the result. Rows that have
    no value within reach become `otherwise`.

    Args:
        planes: (C, h, W) of floats; returned if nothing is NaN.
        otherwise: (C,), for each plane.

    Example:
        >>> fill_nearest(np.array([[[1, np.nan, np.nan], [np.nan, np.nan, 5]]]), np.zeros(1)).tolist()
        [[[1.0, 1.0, 5.0], [1.0, 5.0, 5.0]]]
    """
    missing = np.isnan(planes)
    if not missing.any():
        return planes
    down, near_down = _nearest(planes, ~missing, 1)
    across, near_across = _nearest(planes, ~missing, 2)
    near_down[near_down > REACH] = _FAR
    result = np.where(missing, np.where(near_down <= near_across, down, across), planes)
    lonely = missing & (near_down == _FAR) & (near_across == _FAR)
    if lonely.any():
        columns = np.where(missing & (near_down == _FAR), np.nan, np.where(missing, down, planes))
        beside, distance = _nearest(columns, ~np.isnan(columns), 2)
        other = np.where(distance == _FAR, otherwise[:, None, None], beside)
        result = np.where(lonely, other, result)
    return result.astype(planes.dtype, copy=False)


_FAR = 1 << 30


def _nearest(planes: Array, valid: NDArray[np.bool_], axis: int) -> tuple[Array, NDArray[np.int32]]:
    """The nearest valid value of each pixel along an axis, and how far it is; `_FAR` if there is none."""
    found, distance = np.empty_like(planes), np.empty(planes.shape, np.int32)
    step = max(1, _PART // max(1, planes.shape[0] * planes.shape[axis]))
    for first in range(0, planes.shape[3 - axis], step):
        lines = slice(first, first + step)
        part = (slice(None), lines) if axis == 2 else (slice(None), slice(None), lines)
        found[part], distance[part] = _nearest_in(planes[part], valid[part], axis)
    return found, distance


def _nearest_in(planes: Array, valid: NDArray[np.bool_], axis: int) -> tuple[Array, NDArray[np.int32]]:
    """`_nearest` for some lines of an image."""
    length = planes.shape[axis]
    shape = [1, 1, 1]
    shape[axis] = length
    here = np.arange(length, dtype=np.int32).reshape(shape)
    before = np.maximum.accumulate(np.where(valid, here, np.int32(-_FAR)), axis=axis)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(valid, here, np.int32(_FAR)), axis), axis=axis), axis)
    index = np.where(here - before <= after - here, before, after)
    found = (index >= 0) & (index < length)
    distance = np.where(found, np.abs(here - index), np.int32(_FAR))
    return np.take_along_axis(planes, np.where(found, index, 0), axis), distance
