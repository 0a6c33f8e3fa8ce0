"""Resampling as a reference: MATLAB's `imresize`, and also Lanczos, area and nearest.

Super-resolution papers make their LR images with MATLAB's bicubic: Keys' cubic with
a = -0.5, widened by the scale when shrinking (antialiasing), weights normalised, borders mirrored, rows
before columns, and integers rounded half up and clipped after *each* of the two passes. `resize`
reproduces that to the bit; floats are never rounded.

Every kernel becomes a table of taps (`Taps`): for each output sample, which input samples it reads and
with what weight. Tables can be cut (`table[a:b]`), so that large images are resized strip by strip
with the same bits as in one piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.size import LONGEST

Array = NDArray[Any]
Kernel = Literal["bicubic", "lanczos", "area", "nearest"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)

# Taps are applied to blocks of about this many output values, so that the accumulator and its operands stay in the
# processor's second-level cache; and to about this many neighbours at a time, so that one instruction does several.
_BLOCK = 1 << 15
_LANES = 96
# When enlarging by a whole number, up to this one, the outputs of each phase read successive samples: no gathering.
_PHASES = 8


@dataclass(frozen=True)
class Taps:
    """How one axis is resampled: output sample i is `sum(weights[i] * source[index[i]])`.

    Attributes:
        index: (outputs, taps) positions on the source axis; borders are already mirrored into range.
        weights: (outputs, taps) float64, each row summing to 1.
    """

    index: NDArray[np.intp]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, part: slice) -> Taps:
        return Taps(self.index[part], self.weights[part])

    @property
    def reach(self) -> tuple[int, int]:
        """The half-open range of source samples that these outputs read."""
        return int(self.index.min()), int(self.index.max()) + 1

    def shifted(self, by: int) -> Taps:
        """Return the same table for a source that starts `by` samples later."""
        return Taps(self.index - by, self.weights)


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5; support [-2, 2].

    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE ASSP-29, 1981, eq. 15.
    """
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))


def lanczos3(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lanczos kernel: a sinc windowed by a sinc three times as wide; support [-3, 3]."""
    values = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
    values[(x % 1 == 0) & (x != 0)] = 0  # not 4e-17, or the same size would not be exact
    return values


_SMOOTH: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bicubic": (cubic, 4.0),
    "lanczos": (lanczos3, 6.0),
}


def taps(source: int, target: int, kernel: Kernel = "bicubic", *, scale: float | None = None) -> Taps:
    """Make the table that resamples an axis.

    Args:
        source: The number of input samples.
        target: The number of output samples.
        kernel: One of `KERNELS`.
        scale: Target samples per source sample; by default target / source. MATLAB's `imresize(x, scale)`
            keeps the requested scale even where `target` had to be rounded up.

    Raises:
        UsageError: If a length is not possible, or the kernel is unknown.

    Example:
        >>> taps(2, 4, "nearest").index.tolist()
        [[0], [0], [1], [1]]
    """
    if not (source >= 1 and 1 <= target <= LONGEST):
        raise UsageError(f"cannot resize {source} pixels to {target}: both must be at least 1, at most {LONGEST}")
    scale = target / source if scale is None else scale
    if kernel == "nearest":
        index = np.floor(np.round((np.arange(target) + 0.5) / scale, 9)).astype(np.intp)
        return Taps(np.clip(index, 0, source - 1)[:, None], np.ones((target, 1)))
    if kernel == "area":
        return _coverage(source, target, scale)
    if kernel not in _SMOOTH:
        raise UsageError(f"unknown kernel {kernel!r}; the kernels are {', '.join(KERNELS)}")

    centres = np.arange(1, target + 1) / scale + 0.5 * (1 - 1 / scale)  # 1-based, as in MATLAB
    return taps_at(centres, source, kernel, widening=max(1.0, 1.0 / scale), first=1)


def taps_at(
    centres: NDArray[np.float64], source: int, kernel: Kernel = "bicubic", *, widening: float = 1.0, first: int = 0
) -> Taps:
    """Make the table of a smooth kernel for samples at any positions of an axis; borders are mirrored.

    Args:
        centres: Where each output sample lies on the source axis, in source samples.
        source: The number of source samples.
        kernel: "bicubic" or "lanczos".
        widening: The factor by which the kernel is widened against aliasing: source samples per output sample when
            shrinking, else 1.
        first: The position of the first source sample. Counting from 1, as MATLAB does, rounds a little differently.
    """
    function, support = _SMOOTH[kernel]
    support *= widening
    left = np.floor(centres - support / 2)
    index = left[:, None] + np.arange(math.ceil(support) + 2)
    weights = function((centres[:, None] - index) / widening) / widening
    weights /= weights.sum(axis=1, keepdims=True)

    used = weights.any(axis=0)
    mirror = np.concatenate([np.arange(source), np.arange(source)[::-1]])
    return Taps(mirror[(index[:, used].astype(np.intp) - first) % len(mirror)], weights[:, used])


def _coverage(source: int, target: int, scale: float) -> Taps:
    """Each output is the mean of the input pixels under it, weighted by how much of each it covers."""
    edges = np.round(np.arange(target + 1) / scale, 9)  # so that three thirds of a pixel add up to exactly one
    edges = np.minimum(edges, source)
    first = np.minimum(np.floor(edges[:-1]).astype(np.intp), source - 1)
    count = int(np.max(np.ceil(edges[1:]).astype(np.intp) - first))
    index = first[:, None] + np.arange(max(count, 1))
    overlap = np.minimum(edges[1:, None], index + 1) - np.maximum(edges[:-1, None], index)
    weights = np.clip(overlap, 0, None)
    weights[:, 0] += weights.sum(axis=1) == 0  # an output that begins at the very end reads the last pixel
    weights /= weights.sum(axis=1, keepdims=True)
    return Taps(np.minimum(index, source - 1), weights)


def resample(array: Array, table: Taps, axis: int) -> Array:
    """Resample an array along one axis.

    Integers (up to 32 bits) are computed in float64, rounded half up and clipped; floats are computed in their own
    precision, but at least float32. The result of a sample does not depend on how the array is cut.

    Args:
        array: Of any shape.
        table: For that axis.
        axis: Which one.

    Returns:
        An array of the same type, `len(table)` long on `axis`.
    """
    integer = array.dtype.kind in "iu"
    exact = np.float64 if integer else np.result_type(array.dtype, np.float32)
    axis %= array.ndim
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    lead, inner = math.prod(before), math.prod(after)
    source = array.reshape(lead, array.shape[axis], inner)
    out = np.empty((lead, len(table), inner), array.dtype)
    weights = table.weights.astype(exact)[..., None, None]
    phases, first, last = (1, 0, 0) if integer else _even_run(table.index)
    for phase in range(first, min(first + phases, last)):
        outputs = slice(phase, last, phases)
        _slide(source, table.index[phase], weights[outputs, :, 0], out[:, outputs])
    # The axis comes first in each block: gathering samples then copies contiguous memory, for every axis.
    deep = max(1, min(lead, _LANES // max(1, inner)))
    tall = max(1, _BLOCK // max(1, deep * inner))
    for start, stop in ((0, first), (last, len(table))):
        for middle in range(start, stop, tall):
            part = slice(middle, min(middle + tall, stop))
            low, high = table[part].reach
            index, weight = table.index[part] - low, weights[part]
            for top in range(0, lead, deep):
                lanes = slice(top, top + deep)
                block = np.ascontiguousarray(source[lanes, low:high].transpose(1, 0, 2), exact)
                total = np.take(block, index[:, 0], 0)
                total *= weight[:, 0]
                term = np.empty_like(total)
                for tap in range(1, index.shape[1]):
                    np.take(block, index[:, tap], 0, out=term, mode="clip")  # "raise", the default, would copy `term`
                    term *= weight[:, tap]
                    total += term
                out[lanes, part] = (round_to(total, array.dtype) if integer else total).transpose(1, 0, 2)
    return out.reshape(*before, len(table), *after)


def _even_run(index: NDArray[np.intp]) -> tuple[int, int, int]:
    """Find (phases, first, last): each of the outputs [first, last) reads one sample further than the one `phases`
    before it, as when enlarging by a whole number. (1, 0, 0) is no such run.
    """
    middle = len(index) // 2
    for phases in range(1, min(_PHASES, len(index) - middle - 1) + 1):
        if (index[middle + phases] - index[middle] != 1).any():
            continue
        moves = (index[phases:] - index[:-phases] == 1).all(axis=1)
        stops = np.flatnonzero(~moves)  # at the mirrored borders
        cut = np.searchsorted(stops, middle)
        first = int(stops[cut - 1]) + 1 if cut else 0
        last = (int(stops[cut]) if cut < len(stops) else len(moves)) + phases
        if last - first > max(phases, len(index) // 2):
            return phases, first, last
    return 1, 0, 0


def _slide(source: Array, start: NDArray[np.intp], weights: Array, out: Array) -> None:
    """Fill `out` (lead, n, inner), whose output i reads the samples `start + i`; the sums are those of gathering."""
    lead, count, inner = out.shape
    if (weights == weights[0]).all():
        weights = weights[:1]  # multiplying by one number is faster than by a table, with the same bits
    deep = max(1, _BLOCK // max(1, count * inner))
    for top in range(0, lead, deep):
        block = source[top : top + deep]
        total = block[:, start[0] : start[0] + count] * weights[:, 0]
        term = np.empty_like(total)
        for tap in range(1, len(start)):
            np.multiply(block[:, start[tap] : start[tap] + count], weights[:, tap], out=term)
            total += term
        out[top : top + deep] = total


def round_to(values: Array, dtype: np.dtype[Any]) -> Array:
    """Round half up and clip to an integer type's whole range, as MATLAB converts. Overwrites `values`."""
    limits = np.iinfo(dtype)
    values += 0.5
    np.floor(values, out=values)
    return np.clip(values, limits.min, limits.max, out=values).astype(dtype)


def resize(
    pixels: Array,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    kernel: Kernel = "bicubic",
) -> Array:
    """Resize an image; "bicubic" does exactly what MATLAB's `imresize` does.

    Args:
        pixels: (H, W) or (H, W, C), integers of up to 32 bits or floats. Integers are rounded half up and clipped after
            each pass; floats are neither rounded nor clipped.
        scale: The output is ceil(scale * H) by ceil(scale * W).
        size: (height, width) of the output; each axis then has its own scale.
        kernel: "bicubic" (antialiased when shrinking), "lanczos" (three lobes, likewise), "area" (mean under
            each output pixel) or "nearest".

    Returns:
        Pixels of the same type and channels.

    Raises:
        UsageError: Unless exactly one of `scale` and `size` is given, and for impossible sizes and pixels.

    Example:
        >>> resize(np.array([[0, 255]], np.uint8), scale=2).shape
        (2, 4)
    """
    kind = pixels.dtype.kind
    if pixels.ndim not in (2, 3) or kind not in "iuf" or (kind in "iu" and pixels.itemsize > 4):
        raise UsageError(f"cannot resize {pixels.dtype} of shape {pixels.shape}")
    if (scale is None) == (size is None):
        raise UsageError("give exactly one of scale= and size=")
    height, width = pixels.shape[:2]
    if scale is not None:
        if not 0 < scale <= LONGEST:
            raise UsageError(f"cannot resize by {scale}: the scale must be a positive number")
        rows = taps(height, math.ceil(scale * height), kernel, scale=scale)
        columns = taps(width, math.ceil(scale * width), kernel, scale=scale)
    else:
        assert size is not None
        rows, columns = taps(height, size[0], kernel), taps(width, size[1], kernel)
    # MATLAB begins with the axis of the smaller scale; on equal scales with the rows. The order matters only for
    # integers, which are rounded between the passes.
    if size is not None and size[1] / width < size[0] / height:
        return resample(resample(pixels, columns, 1), rows, 0)
    return resample(resample(pixels, rows, 0), columns, 1)
