"""Keeps networks from adding texture to measurements where the input has none.

On a plain ramp, networks add about 0.2 % of the range, which can be many pixels' worth of a slowly changing quantity.
So the difference between a network and bicubic is limited to a multiple of the second differences of the input around
each pixel. Where the input is a plane these are 0, and the result is exactly the plane, also at the borders, where
bicubic and the differences continue the input by reflection in its last value.
On images reduced by bicubic or by averages the limit changes no figure of `benchmarks/science.py` by 0.01 dB.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.pipeline.planes import Planes
from hyperacuity.pipeline.rows import RowReader, block_rows, fork, map_ahead, resample_rows
from hyperacuity.resize import Taps, resample, taps, taps_at

# The limit in second differences, and how far around a pixel these are looked for, in input pixels.
_LIMIT, _RADIUS = 2.0, 2
# What is added around the input: second differences reach one pixel further.
_BORDER = _RADIUS + 1


class TextureLimit:
    """Limits rows of a result, which must be asked for from top to bottom.

    Args:
        planes: The input (C, h, W), in blocks of rows.
        size: (height, width) of the input.
        target: (height, width) of the result, not smaller.
        pool: Threads.
    """

    def __init__(
        self, planes: Iterable[Planes], size: tuple[int, int], target: tuple[int, int], pool: Executor
    ) -> None:
        for_bicubic, for_differences = fork(extended(planes))
        rows, columns = (_without_mirror(old, new) for old, new in zip(size, target, strict=True))
        across = map_ahead(pool, for_bicubic, lambda block: resample(block, columns, -1))
        self._bicubic = RowReader(resample_rows(pool, across, rows, block_rows(target[1]), lambda block: block))
        self._differences = RowReader(_differences(for_differences, size, pool))
        self._down, self._across = (
            taps(old, new, "nearest").index[:, 0] for old, new in zip(size, target, strict=True)
        )

    def read(self, top: int, bottom: int) -> tuple[Planes, Planes]:
        """Return what `limited` needs for the rows [top, bottom): bicubic, and differences of the input."""
        down = self._down[top:bottom]
        return self._bicubic.read(top, bottom), self._differences.read(int(down[0]), int(down[-1]) + 1)

    def limited(self, block: Planes, top: int, read: tuple[Planes, Planes]) -> Planes:
        """Return rows of the result that begin at `top`, limited; in any thread."""
        bicubic, differences = read
        down = self._down[top : top + block.shape[1]]
        most = differences[:, down - down[0]][:, :, self._across]
        result: Planes = bicubic + np.clip(block - bicubic, -most, most)
        return result


def extended(planes: Iterable[Planes]) -> Iterator[Planes]:
    """Continue an image beyond its borders by reflection in its last value, which continues planes as planes.

    Args:
        planes: (C, h, W) in blocks of rows.

    Yields:
        (C, h, W + 2 * 3) in blocks, with 3 more rows at the top and at the bottom in all.
    """
    wide = (np.pad(block, ((0, 0), (0, 0), (_BORDER, _BORDER)), "reflect", reflect_type="odd") for block in planes)
    held: list[Planes] = []
    for block in wide:
        held.append(block)
        if sum(each.shape[1] for each in held) > _BORDER:
            break
    first = np.concatenate(held, axis=1)
    if first.shape[1] <= _BORDER:  # the whole image
        yield np.pad(first, ((0, 0), (_BORDER, _BORDER), (0, 0)), "reflect", reflect_type="odd")
        return
    yield 2 * first[:, :1] - first[:, _BORDER:0:-1]
    last = first
    for block in itertools.chain([first], wide):
        yield block
        last = np.concatenate([last[:, -_BORDER - 1 :], block], axis=1)[:, -_BORDER - 1 :]
    yield 2 * last[:, -1:] - last[:, -2 : -_BORDER - 2 : -1]


def _without_mirror(source: int, target: int) -> Taps:
    """Bicubic's table for an axis that has been extended."""
    padded = source + 2 * _BORDER
    centres = (np.arange(target) + 0.5) * source / target - 0.5 + _BORDER
    return taps_at(centres, padded)


def _differences(strips: Iterable[Planes], size: tuple[int, int], pool: Executor) -> Iterator[Planes]:
    """The limit for each pixel of the input, (C, h, W) in blocks, from its extended rows."""
    reader = RowReader(strips)
    step = max(block_rows(size[1]), 4 * _BORDER)

    def windows() -> Iterator[Planes]:
        for top in range(0, size[0], step):
            yield reader.read(top, min(size[0], top + step) + 2 * _BORDER)

    return map_ahead(pool, windows(), _limits)


def _limits(window: NDArray[Any]) -> Planes:
    """The limit for all pixels of a window except a border."""
    centre = window[:, 1:-1, 1:-1]
    twice = 2 * centre
    found = np.abs(window[:, :-2, 1:-1] + window[:, 2:, 1:-1] - twice)
    for one, other in (
        (window[:, 1:-1, :-2], window[:, 1:-1, 2:]),
        (window[:, :-2, :-2], window[:, 2:, 2:]),
        (window[:, :-2, 2:], window[:, 2:, :-2]),
    ):
        np.maximum(found, np.abs(one + other - twice), out=found)
    for axis in (1, 2):
        length = found.shape[axis] - 2 * _RADIUS
        parts = [found.take(range(shift, shift + length), axis) for shift in range(2 * _RADIUS + 1)]
        found = np.maximum.reduce(parts)
    result: Planes = _LIMIT * found
    return result
