"""Colour spaces, on arrays with values in [0, 1].

Networks of the field work either on RGB or on the luma of BT.601 in studio range (black 16/255, white
235/255), because MATLAB's `rgb2ycbcr` gives that and all published weights were trained on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Y of MATLAB's rgb2ycbcr for R, G, B in [0, 1], 1 standing for code 255.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
# Of studio range: its black, and how far its white is above it.
STUDIO_BLACK, STUDIO_SPAN = 16 / 255, 219 / 255


def luma(rgb: Array, *, axis: int = -1) -> Array:
    """BT.601 luma in studio range of R, G, B on `axis`, which goes: 0 -> 16/255, 1 -> 235/255."""
    red, green, blue = np.moveaxis(rgb, axis, 0)
    weights = _LUMA.astype(rgb.dtype)
    y: Array = weights[0] * red
    y += weights[1] * green
    y += weights[2] * blue
    y += rgb.dtype.type(STUDIO_BLACK)
    return y


def luma8(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of an 8-bit picture as MATLAB's `rgb2ycbcr` gives it on uint8: (H, W, 3) -> (H, W), 16..235."""
    y = luma(rgb.astype(np.float64) / 255) * 255
    return np.floor(y + 0.5).astype(np.uint8)


def differences(rgb: Array, y: Array) -> Array:
    """Colour without luma: how far red and blue of (3, H, W) lie above the grey that has their luma `y` (H, W).

    (2, H, W). Linear, and so is `joined`: a picture may be resampled as its luma and these two planes.
    """
    grey = from_studio(y)
    result: Array = rgb[::2] - grey
    return result


def joined(y: Array, differences: Array) -> Array:
    """The inverse: R, G, B (3, H, W) of luma (H, W) and colour differences. Overwrites `differences`."""
    red, green, blue = rgb = np.empty((3, *y.shape), y.dtype)
    grey = from_studio(y)
    np.add(grey, differences[0], out=red)
    np.add(grey, differences[1], out=blue)
    # Luma of the differences is 0, which says what green's is.
    differences *= (_LUMA[::2] / _LUMA[1]).astype(y.dtype)[:, None, None]
    grey -= differences[0]
    np.subtract(grey, differences[1], out=green)
    return rgb


def to_studio(grey: Array) -> Array:
    """Grey in [0, 1] as studio-range luma: what `luma` gives for R = G = B = grey."""
    y: Array = grey * grey.dtype.type(STUDIO_SPAN) + grey.dtype.type(STUDIO_BLACK)
    return y


def from_studio(y: Array) -> Array:
    """The inverse of `to_studio`."""
    grey: Array = y - y.dtype.type(STUDIO_BLACK)
    grey *= y.dtype.type(1 / STUDIO_SPAN)
    return grey


def bleed(pixels: Array, visible: NDArray[np.bool_]) -> Array:
    """Give invisible pixels the colours of the visible ones around them; values of visible ones stay.

    What lies under zero alpha is arbitrary, mostly black or white, and every filter would draw it into the edge as
    a fringe. Push-pull (Gortler et al., "The Lumigraph", 1996, section 3.4): means of the visible pixels at half
    the size, and again, then from coarse to fine each gap takes the colour of the level above it.

    pixels: (H, W, colours + 1), alpha last, returned as a copy. visible: (H, W), at least one of it true.
    """
    colours = pixels.shape[-1] - 1
    means = [_halve(pixels[..., :colours], visible)]
    while means[-1][1].size > 1:
        mean, count = means[-1]
        means.append(_halve(mean, count > 0))
    colour, _ = means.pop()
    while means:
        finer, count = means.pop()
        _fill(finer, count > 0, colour)
        colour = finer
    if np.issubdtype(pixels.dtype, np.integer):
        colour = np.floor(colour + 0.5)
    filled = pixels.copy()
    _fill(filled[..., :colours], visible, colour.astype(pixels.dtype))
    return filled


def _fill(values: Array, known: NDArray[np.bool_], coarser: Array) -> None:
    """Write into what is not known the values of the level at half the size."""
    height, width = known.shape
    larger = coarser.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    np.copyto(values, larger, where=~known[..., None])


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
