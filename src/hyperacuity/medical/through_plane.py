"""Slices between the slices of a volume, by a cubic spline through them: an interpolation, which invents nothing.

Networks across slices gained nothing on real scans and lost up to 3.4 dB where slices have gaps; see docs/medical.md.

Source: Unser, Aldroubi and Eden, B-spline signal processing, IEEE Transactions on Signal Processing 41 (1993).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperacuity import values
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.nifti.recognition import split_name
from hyperacuity.image import Header, Survey

Pixels = NDArray[Any]

NOTE = "slices between the measured ones are interpolated by a cubic spline, which invents nothing"

# The pole of the cubic B-spline. The influence of a slice falls by it from slice to slice: to 1e-7 within the reach.
_POLE = math.sqrt(3) - 2
_REACH = 12
# Slices this much further apart than they are thick have gaps.
_GAP = 1.05
_JSON_LIMIT = 1 << 20


def check_slices(path: Path, depth: int, scale: float) -> int:
    """Return how many slices a volume of `depth` slices gets.

    Args:
        path: The volume; a JSON file next to it, as dcm2niix writes, may say that slices have gaps.
        depth: Its slices.
        scale: How many slices it gets for each of them.

    Raises:
        UsageError: If there is nothing to interpolate, or not between all slices.
    """
    without = Use(through_plane=LEAVE_OUT)
    if not (math.isfinite(scale) and scale >= 1):
        raise UsageError(f"{scale:g} slices for each one: give a number from 1 up", without)
    if scale == 1:
        return depth
    if depth == 1:
        raise UsageError(f"{path} has one slice, so none can be put between slices", without)
    thickness, distance = _stated(path)
    if thickness is not None and distance is not None and distance > _GAP * thickness:
        raise UsageError(
            f"the slices of {path} are {thickness:g} mm thick and {distance:g} mm apart, says the JSON file beside it: "
            "what lies in the gaps was not measured",
            without,
        )
    return max(depth, math.floor(depth * scale + 0.5))


def _stated(path: Path) -> tuple[float | None, float | None]:
    """The thickness and the distance of slices in the JSON file beside a volume."""
    try:
        with path.with_name(f"{split_name(path)[0]}.json").open("rb") as file:
            content = json.loads(file.read(_JSON_LIMIT))
    except (OSError, ValueError):
        return None, None
    found = [
        content.get(name) if isinstance(content, dict) else None for name in ("SliceThickness", "SpacingBetweenSlices")
    ]
    thickness, distance = (float(each) if isinstance(each, int | float) and each > 0 else None for each in found)
    return thickness, distance


def spline_weights(position: float, depth: int) -> dict[int, float]:
    """Return the weight of each slice in the value of the spline at a position.

    Beyond the first and the last slice, a volume goes on as in a mirror at its outer edge.

    Args:
        position: In slices; their centres are 0, 1, and so on.
        depth: How many slices there are.

    Example:
        >>> {index: round(weight, 4) for index, weight in spline_weights(1.0, 3).items() if abs(weight) > 1e-6}
        {1: 1.0}
    """
    first = math.floor(position) - _REACH + 1
    found: dict[int, float] = {}
    for index in range(first, first + 2 * _REACH):
        inside = index % (2 * depth)
        inside = min(inside, 2 * depth - 1 - inside)
        found[inside] = found.get(inside, 0.0) + _cardinal(position - index)
    total = sum(found.values())
    return {index: weight / total for index, weight in found.items()}


def _cardinal(x: float) -> float:
    """The cubic spline that is 1 at 0, and 0 at all other whole numbers."""
    near = range(math.floor(x) - 1, math.floor(x) + 3)
    factor = -6 * _POLE / (1 - _POLE**2)
    return sum(factor * _POLE ** abs(k) * _b_spline(x - k) for k in near)


def _b_spline(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 2 / 3 - x**2 + x**3 / 2
    return (2 - x) ** 3 / 6 if x < 2 else 0.0


class _Slice(NamedTuple):
    """A slice: its pixels as stored; these with invalid ones filled; and which are valid, None for all."""

    pixels: Pixels
    filled: Pixels
    valid: NDArray[np.bool_] | None


class Interpolator:
    """Puts slices between slices that arrive one after another, volume by volume; holds about 24 of them.

    Args:
        header: Of the slices. Those of names of regions are repeated by nearest.
        depth: Slices of a volume.
        count: Slices of the result.
        survey: The range of the valid values, whose mean stands for areas without any; None for names of regions.
    """

    def __init__(self, header: Header, depth: int, count: int, survey: Survey | None) -> None:
        self._header, self._depth, self._count = header, depth, count
        self._means = None if survey is None else [each.mean if each else 0.0 for each in survey.ranges]
        self._held: dict[int, _Slice] = {}
        self._arrived = self._next = 0

    def _position(self, number: int) -> float:
        return (number + 0.5) * self._depth / self._count - 0.5

    def add(self, pixels: Pixels) -> Iterator[Pixels]:
        """Add the next slice (H, W, channels).

        Yields:
            The slices of the result that can be computed now.
        """
        if self._count == self._depth:
            yield pixels
            return
        self._held[self._arrived] = self._prepared(pixels)
        self._arrived += 1
        last = self._arrived == self._depth
        while self._next < self._count:
            position = self._position(self._next)
            if not last and math.floor(position) + _REACH >= self._arrived:
                break
            yield self._interpolated(position)
            self._next += 1
            unused = math.floor(self._position(self._next)) - _REACH + 1
            self._held = {number: each for number, each in self._held.items() if number >= unused}
        if last:
            self._held, self._arrived, self._next = {}, 0, 0

    def _prepared(self, pixels: Pixels) -> _Slice:
        if self._means is None:
            return _Slice(pixels, pixels, None)
        valid = values.find_valid(pixels, self._header)
        if valid.all():
            return _Slice(pixels, pixels, None)
        planes = np.where(valid, pixels, np.nan).transpose(2, 0, 1)
        filled = values.fill_nearest(planes, np.asarray(self._means)).transpose(1, 2, 0)
        return _Slice(pixels, filled, valid)

    def _interpolated(self, position: float) -> Pixels:
        nearest = self._held[min(self._depth - 1, max(0, math.floor(position + 0.5)))]
        if self._means is None:
            return nearest.pixels
        dtype = nearest.pixels.dtype
        exact = values.exact_type(dtype)
        total = np.zeros(nearest.pixels.shape, exact)
        for number, weight in spline_weights(position, self._depth).items():
            if weight:
                total += exact(weight) * self._held[number].filled
        if dtype.kind in "iu":
            total = np.clip(np.floor(total + 0.5), *self._header.levels)
        result = total.astype(dtype)
        return result if nearest.valid is None else np.where(nearest.valid, result, nearest.pixels)
