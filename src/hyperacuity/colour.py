"""Colour spaces, on arrays with values in [0, 1].

Networks of the field work either on RGB or on the luma of BT.601 in studio range (black 16/255, white
235/255), because MATLAB's `rgb2ycbcr` gives that and all published weights were trained on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# MATLAB's rgb2ycbcr for R, G, B in [0, 1]; Y, Cb, Cr in [0, 1] too, 1 standing for code 255.
_FORWARD = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0]) / 255


def luma(rgb: Array, *, axis: int = -1) -> Array:
    """BT.601 luma in studio range of R, G, B on `axis`, which goes: 0 -> 16/255, 1 -> 235/255."""
    red, green, blue = np.moveaxis(rgb, axis, 0)
    weights = _FORWARD[0].astype(rgb.dtype)
    return weights[0] * red + weights[1] * green + weights[2] * blue + rgb.dtype.type(_OFFSET[0])


def luma8(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of an 8-bit picture as MATLAB's `rgb2ycbcr` gives it on uint8: (H, W, 3) -> (H, W), 16..235."""
    y = luma(rgb.astype(np.float64) / 255) * 255
    return np.floor(y + 0.5).astype(np.uint8)


def with_luma(rgb: Array, y: Array) -> Array:
    """`rgb` (3, H, W) with its luma replaced by `y` (H, W), its chroma kept. Overwrites `rgb`.

    The same as going to Y, Cb, Cr, exchanging Y and coming back: the inverse matrix adds luma to R, G and B alike.
    """
    y = y - luma(rgb, axis=0)
    y *= rgb.dtype.type(255 / 219)
    rgb += y
    return rgb


def to_studio(grey: Array) -> Array:
    """Grey in [0, 1] as studio-range luma: what `luma` gives for R = G = B = grey."""
    return grey * grey.dtype.type(219 / 255) + grey.dtype.type(16 / 255)


def from_studio(y: Array) -> Array:
    """The inverse of `to_studio`."""
    return (y - y.dtype.type(16 / 255)) * y.dtype.type(255 / 219)


def bleed(pixels: Array, visible: NDArray[np.bool_]) -> Array:
    """Give invisible pixels the colours of the visible ones around them; values of visible ones stay.

    What lies under zero alpha is arbitrary, mostly black or white, and every filter would draw it into the edge as
    a fringe. Push-pull (Gortler et al., "The Lumigraph", 1996, section 3.4): means of the visible pixels at half
    the size, and again, then from coarse to fine each gap takes the colour of the level above it.

    pixels: (H, W, colours + 1), alpha last, returned as a copy. visible: (H, W), at least one of it true.
    """
    colours = pixels.shape[-1] - 1
    filled = pixels.copy()
    mean, weight = _halve(pixels[..., :colours], visible)
    levels = [(mean, weight)]
    while len(mean) > 1 or mean.shape[1] > 1:
        mean, weight = _halve(mean, weight > 0)
        levels.append((mean, weight))
    for (finer, known), (coarser, _) in zip(levels[-2::-1], levels[:0:-1], strict=True):
        gaps = np.nonzero(known == 0)
        finer[gaps] = coarser[gaps[0] // 2, gaps[1] // 2]
    gaps = np.nonzero(~visible)
    colour = levels[0][0][gaps[0] // 2, gaps[1] // 2]
    if np.issubdtype(pixels.dtype, np.integer):
        colour = np.floor(colour + 0.5)
    filled[(*gaps, slice(colours))] = colour
    return filled


def _halve(values: Array, known: NDArray[np.bool_]) -> tuple[Array, Array]:
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
