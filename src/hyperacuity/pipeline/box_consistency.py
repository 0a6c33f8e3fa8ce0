"""Consistency of a result with its input: the mean of the result under each input pixel, compared with that pixel.

A detector averages the light that falls on a pixel, so the box mean of a faithful result is the input. `measure` says
how far it is, while rows stream by. `project` makes it exact, by back-projection: the differences, enlarged, are added
several times. It also comes nearer to the truth where the input was made by averages (0.35 to 0.54 dB on slices and
satellite bands) and is a loss where it was not (0.2 to 0.5 dB), so it is a choice.

Source: Irani, Peleg: "Improving resolution by image registration", CVGIP 53, 1991.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.image import Header, Strips
from hyperacuity.pipeline.rows import monotone, windows
from hyperacuity.resize import Taps, resample, taps
from hyperacuity.values import exact_type

Array = NDArray[Any]
# Returns which values of rows (h, W, C) are measurements, as (h, W, bands).
FindValid = Callable[[Array, Header], NDArray[np.bool_]]

# Rounds of back-projection by bicubic, and then of the exact inverse of a box with whole scales.
_SMOOTH_ROUNDS, _EXACT_ROUNDS = 8, 16
# How many input pixels away all rounds are felt: in each, 2 by bicubic, and where the scale is not whole, so pixels
# belong to two input pixels, 1 by the box and 1 by its inverse.
_WHOLE_HALO = 2 * _SMOOTH_ROUNDS
_HALO = 3 * _SMOOTH_ROUNDS + 2 * _EXACT_ROUNDS
# About this many values of the result are projected at once, halo excluded.
_WINDOW = 1 << 20
# Differences below this share of a stored step, or of the largest value of floats, count as none.
_STEP, _FLOAT_STEP = 0.01, 1e-7


@dataclass
class Consistency:
    """How far the box mean of a result is from its input, of each band, in the units of the stored values.

    Attributes:
        squares: The sum of the squared differences.
        most: The largest difference.
        count: How many valid input pixels were compared.
        before: The sum of these pixels.
        after: The sum of the means of the result.
    """

    squares: NDArray[np.float64]
    most: NDArray[np.float64]
    count: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    @classmethod
    def of_bands(cls, count: int) -> Consistency:
        """Nothing compared yet."""
        zeros = [np.zeros(count) for _ in range(4)]
        return cls(zeros[0], zeros[1], np.zeros(count, np.int64), zeros[2], zeros[3])

    @property
    def rms(self) -> NDArray[np.float64]:
        """The root of the mean squared difference of each band; NaN for a band without valid pixels."""
        return np.sqrt(self.squares / np.where(self.count, self.count, np.nan))

    @property
    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The means of the valid pixels of the input, and of the result under them."""
        count = np.where(self.count, self.count, np.nan)
        return self.before / count, self.after / count


def measure(result: Strips, source: Strips, find_valid: FindValid, into: Consistency) -> Strips:
    """Compare a result with its input while its rows are read.

    Args:
        result: Its rows, which are passed on.
        source: The input, read once more alongside it.
        find_valid: Which values are measurements.
        into: Filled in; complete when all rows have been read.

    Returns:
        The same rows, divided differently.
    """
    box = _Box(source.header, result.header)

    def rows() -> Iterator[Array]:
        for part in box.parts(result, source, halo=0):
            reduced, valid = box.reduce(part, find_valid)
            own = part.own
            wanted = part.small[own].astype(np.float64)
            _add(into, reduced[own], wanted, valid[own])
            yield part.large[part.large_own]

    return Strips(result.header, rows())


def _add(into: Consistency, reduced: Array, wanted: Array, valid: Array) -> None:
    bands = valid.shape[-1]
    axes = (0, 1)
    difference = np.where(valid, reduced - wanted[..., :bands], 0)
    into.squares += np.square(difference).sum(axes)
    into.most = np.maximum(into.most, np.abs(difference).max(axes, initial=0))
    into.count += valid.sum(axes)
    into.before += np.where(valid, wanted[..., :bands], 0).sum(axes)
    into.after += np.where(valid, reduced, 0).sum(axes)


def project(result: Strips, source: Strips, find_valid: FindValid) -> Strips:
    """Change a result so that its box mean equals its input: to half a step of stored integers, if the scale is whole.

    The halo of a window is so large that a result does not depend on how it is cut. Invalid values stay.

    Args:
        result: An enlarged image, whose levels limit the values.
        source: The image that was enlarged.
        find_valid: Which values are measurements.
    """
    box = _Box(source.header, result.header)

    def rows() -> Iterator[Array]:
        for part in box.parts(result, source, halo=_WHOLE_HALO if box.whole else _HALO):
            yield box.project(part, find_valid)[part.large_own]

    return Strips(result.header, rows())


@dataclass(frozen=True)
class _Part:
    """A window of rows of both images. `own`, `large_own`: what it is responsible for, in its arrays."""

    small: Array
    large: Array
    rows: Taps
    up: Taps
    spread: Taps
    own: slice
    large_own: slice


class _Box:
    """The box average between two sizes, and its inverses."""

    def __init__(self, small: Header, large: Header) -> None:
        self.small, self.large = small, large
        self.columns = taps(large.width, small.width, "area")
        self.up_columns = taps(small.width, large.width, "bicubic")
        self.spread_columns = taps(small.width, large.width, "area")
        self.whole = large.height % small.height == 0 and large.width % small.width == 0
        self.exact: Any = exact_type(small.dtype)

    def parts(self, result: Strips, source: Strips, *, halo: int) -> Iterator[_Part]:
        """Both images in windows of rows, which overlap by a halo in input pixels."""
        height, large = self.small.height, self.large.height
        scale = large / height
        down, up, spread = (
            taps(large, height, "area"),
            taps(height, large, "bicubic"),
            taps(height, large, "area"),
        )
        step = max(2 * halo, 1, round(_WINDOW / (self.large.width * self.large.channels) / scale))
        edges = [*range(0, height, step), height]
        owned = [0, *(min(large, math.floor(edge * scale)) for edge in edges[1:-1]), large]
        small = [(max(0, a - halo), min(height, b + halo)) for a, b in pairwise(edges)]
        reaches = [down[a:b].reach for a, b in small]
        reaches = [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(reaches, pairwise(owned), strict=True)]
        reaches = monotone(reaches)
        pairs = zip(
            windows(_planes(source.rows), small),
            windows(_planes(result.rows), reaches),
            small,
            reaches,
            pairwise(edges),
            pairwise(owned),
            strict=True,
        )
        for little, big, (a, b), (c, d), (first, last), (top, end) in pairs:
            yield _Part(
                little.transpose(1, 2, 0),
                big.transpose(1, 2, 0),
                down[a:b].shifted(c),
                _within(up[c:d], a, b),
                _within(spread[c:d], a, b),
                slice(first - a, last - a),
                slice(top - c, end - c),
            )

    def reduce(self, part: _Part, find_valid: FindValid) -> tuple[Array, NDArray[np.bool_]]:
        """The mean of the valid values under each input pixel, and whether that pixel can be compared."""
        valid = find_valid(part.small, self.small)
        under = find_valid(part.large, self.large)
        bands = valid.shape[-1]
        values = part.large[..., :bands].astype(np.float64)
        return self._means(values, under, part, valid)

    def _means(
        self, values: Array, under: NDArray[np.bool_], part: _Part, valid: NDArray[np.bool_]
    ) -> tuple[Array, NDArray[np.bool_]]:
        if under.all():
            return self._down(values, part), valid
        share = self._down(under.astype(values.dtype), part)
        sums = self._down(np.where(under, values, 0), part)
        seen = share > 1e-6
        return np.where(seen, sums / np.where(seen, share, 1), 0), valid & seen

    def _down(self, values: Array, part: _Part) -> Array:
        return resample(resample(values, part.rows, 0), self.columns, 1)

    def _limits(self) -> tuple[float, float]:
        """The least and the greatest integer that a valid result may have."""
        low, high = self.large.levels
        invalid = self.large.measured.invalid if self.large.measured is not None else None
        if invalid is not None and invalid[0] <= low <= invalid[1]:
            low = math.floor(invalid[1]) + 1
        if invalid is not None and invalid[0] <= high <= invalid[1]:
            high = math.ceil(invalid[0]) - 1
        return low, high

    def project(self, part: _Part, find_valid: FindValid) -> Array:
        """The window of the result, projected, as stored."""
        valid, under = find_valid(part.small, self.small), find_valid(part.large, self.large)
        bands = valid.shape[-1]
        wanted: Array = np.where(valid, part.small[..., :bands], 0).astype(self.exact)
        values: Array = np.where(under, part.large[..., :bands], 0).astype(self.exact)
        integer = self.large.dtype.kind != "f"
        tolerance = _STEP if integer else _FLOAT_STEP * float(np.abs(wanted).max(initial=0))
        low, high = self._limits() if integer else (-math.inf, math.inf)
        filled = bool(under.all())
        for turn in range(_SMOOTH_ROUNDS + _EXACT_ROUNDS):
            means, seen = self._means(values, under, part, valid)
            rest = np.where(seen, wanted - means, 0).astype(self.exact)
            if not rest.size or float(np.abs(rest).max()) <= tolerance:
                break
            smooth = turn < _SMOOTH_ROUNDS
            down, across = (part.up, self.up_columns) if smooth else (part.spread, self.spread_columns)
            values += resample(resample(rest, down, 0), across, 1)
            np.clip(values, low, high, out=values)
            if not filled:
                values *= under
        stored: Array = np.clip(np.floor(values + 0.5), low, high) if integer else values
        out = part.large.copy()
        out[..., :bands] = np.where(under, stored.astype(out.dtype), part.large[..., :bands])
        hidden = under & ~find_valid(out, self.large)
        if hidden.any():  # a valid result never equals the invalid value
            beside = np.where(stored < high, stored + 1, stored - 1) if integer else np.nextafter(out[..., :bands], 0)
            out[..., :bands] = np.where(hidden, beside.astype(out.dtype), out[..., :bands])
        return out


def _planes(rows: Iterable[Array]) -> Iterator[Array]:
    return (strip.transpose(2, 0, 1) for strip in rows)


def _within(table: Taps, first: int, last: int) -> Taps:
    """A table for a source cut to [first, last); what it would read outside is the nearest inside."""
    return Taps(np.clip(table.index, first, last - 1) - first, table.weights)
