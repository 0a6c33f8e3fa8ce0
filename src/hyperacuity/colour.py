"""Colour spaces, on arrays with values in [0, 1].

Super-resolution networks work either on RGB or on the luma of BT.601 in studio range (black 16/255, white
235/255), because MATLAB's `rgb2ycbcr` returns that and published weights were trained on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Mean values of squares of pixels, (h, w, colours) float32, and how many visible parts went into each, (h, w).
Means = tuple[Array, Array]

# Colours bleed under transparent pixels in bands of this many rows: halved five times, they are one row.
_LEVELS = 5
BAND = 1 << _LEVELS

# Weights of MATLAB's rgb2ycbcr for R, G, B in [0, 1], where 1 is code 255.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
# Black in studio range, and the distance of white from it.
STUDIO_BLACK, STUDIO_SPAN = 16 / 255, 219 / 255


def luma(rgb: Array, *, axis: int = -1) -> Array:
    """Return the BT.601 luma of R, G, B in studio range: 0 -> 16/255, 1 -> 235/255.

    Args:
        rgb: Floats of any shape.
        axis: The axis of R, G, B, which the result does not have.
    """
    red, green, blue = np.moveaxis(rgb, axis, 0)
    weights = _LUMA.astype(rgb.dtype)
    y: Array = weights[0] * red
    y += weights[1] * green
    y += weights[2] * blue
    y += rgb.dtype.type(STUDIO_BLACK)
    return y


def luma8(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luma of an 8-bit image as MATLAB's `rgb2ycbcr` does on uint8: (H, W, 3) -> (H, W), 16..235.

    Example:
        >>> luma8(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
        array([[ 16, 235]], dtype=uint8)
    """
    y = luma(rgb.astype(np.float64) / 255) * 255
    return np.floor(y + 0.5).astype(np.uint8)


def differences(rgb: Array, y: Array) -> Array:
    """Return the colour differences: red and blue minus the grey of the same luma.

    It is linear, and so is `joined`: an image may be resampled as its luma and these two planes.

    Args:
        rgb: (3, H, W).
        y: Its luma (H, W), from `luma`.

    Returns:
        (2, H, W).
    """
    grey = from_studio(y)
    result: Array = rgb[::2] - grey
    return result


def joined(y: Array, differences: Array) -> Array:
    """Return R, G, B (3, H, W) of luma (H, W) and the colour differences (2, H, W), which it overwrites.

    The inverse of `differences`.
    """
    red, green, blue = rgb = np.empty((3, *y.shape), y.dtype)
    grey = from_studio(y)
    np.add(grey, differences[0], out=red)
    np.add(grey, differences[1], out=blue)
    # The differences have luma 0, which determines that of green.
    differences *= (_LUMA[::2] / _LUMA[1]).astype(y.dtype)[:, None, None]
    grey -= differences[0]
    np.subtract(grey, differences[1], out=green)
    return rgb


def to_studio(grey: Array) -> Array:
    """Return grey in [0, 1] as luma in studio range: what `luma` returns for R = G = B = grey."""
    y: Array = grey * grey.dtype.type(STUDIO_SPAN) + grey.dtype.type(STUDIO_BLACK)
    return y


def from_studio(y: Array) -> Array:
    """Return luma in studio range as grey in [0, 1]; the inverse of `to_studio`."""
    grey: Array = y - y.dtype.type(STUDIO_BLACK)
    grey *= y.dtype.type(1 / STUDIO_SPAN)
    return grey


def band_means(pixels: Array, visible: NDArray[np.bool_]) -> Means:
    """Average the visible colours of a band in squares of `BAND` pixels: the first of three steps of bleeding.

    Colours under zero alpha are arbitrary, mostly black or white, and filters would spread them into edges as fringes.
    So invisible pixels get the colours of visible ones around them: visible pixels are averaged to half the size again
        and again; then, from coarse to fine, each gap takes the colour of the coarser level. The bands of an image
    can be computed one after another, with the same result as for the whole image.

    Args:
        pixels: (`BAND`, W, colours + 1), alpha last; the last band of an image may be less high.
        visible: (`BAND`, W).

    Returns:
        The means (1, ceil(W / `BAND`), colours) and how many visible squares went into each, 0 for none.

    Source: Gortler et al., "The Lumigraph", 1996, section 3.4 (push-pull).
    """
    return _band_levels(pixels, visible)[-1]


def fill_means(bands: Sequence[Means]) -> Array:
    """Fill the gaps among the means of all bands, top to bottom: the second step of bleeding.

    At least one pixel of the image must be visible.

    Returns:
        (bands, ceil(W / `BAND`), colours), for `fill_band`.
    """
    levels = [(np.concatenate([mean for mean, _ in bands]), np.concatenate([count for _, count in bands]))]
    while levels[-1][1].size > 1:
        mean, count = levels[-1]
        levels.append(_halve(mean, count > 0))
    return _filled_levels(levels[:-1], levels[-1][0])


def fill_band(pixels: Array, visible: NDArray[np.bool_], means: Array) -> Array:
    """Give the invisible pixels of a band the colours around them: the last step of bleeding.

    Args:
        pixels: As for `band_means`; alpha and the values of visible pixels stay.
        visible: Likewise.
        means: The band's row of what `fill_means` returned.

    Returns:
        A copy, or `pixels` where all of them are visible.
    """
    if visible.all():
        return pixels
    finest = _filled_levels(_band_levels(pixels, visible)[:-1], means[None])
    if np.issubdtype(pixels.dtype, np.integer):
        finest = np.floor(finest + 0.5)
    result = pixels.copy()
    _fill(result[..., :-1], visible, finest.astype(pixels.dtype))
    return result


def _band_levels(pixels: Array, visible: NDArray[np.bool_]) -> list[Means]:
    """The means of a band at half its size, a quarter, and so on down to one row."""
    levels = [_halve(pixels[..., :-1], visible)]
    while len(levels) < _LEVELS:
        mean, count = levels[-1]
        levels.append(_halve(mean, count > 0))
    return levels


def _filled_levels(levels: Sequence[Means], coarse: Array) -> Array:
    """Fill the gaps of each level, fine to coarse, from the next; the coarsest from `coarse`. Returns the finest."""
    for finer, count in reversed(levels):
        _fill(finer, count > 0, coarse)
        coarse = finer
    return coarse


def _fill(values: Array, known: NDArray[np.bool_], coarser: Array) -> None:
    """Fill unknown values from the level at half the size."""
    height, width = known.shape
    larger = coarser.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    np.copyto(values, larger, where=~known[..., None])


def _halve(values: Array, known: NDArray[np.bool_]) -> Means:
    """Means of the known values in 2 x 2 blocks, (ceil(H/2), ceil(W/2), C) float32, and how many there were."""
    height, width = (-(-side // 2) for side in known.shape)
    total = np.zeros((height, width, values.shape[-1]), np.float32)
    count = np.zeros((height, width), np.float32)
    for y in (0, 1):
        for x in (0, 1):
            part = known[y::2, x::2]
            inside = slice(part.shape[0]), slice(part.shape[1])
            total[inside] += np.where(part[..., None], values[y::2, x::2], 0)
            count[inside] += part
    total /= np.maximum(count, 1)[..., None]
    return total, count
