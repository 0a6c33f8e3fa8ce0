"""Crops of an image's luma for measurements: few enough that an image of any size takes the same time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour
from hyperacuity.image import Image, convert

Plane = NDArray[np.float32]

# The side of a crop in pixels, a multiple of JPEG's blocks, and how many crops are taken along each side at most.
CROP = 128
ACROSS = 4
_BLOCK = 8
# A drawn image has at most this many different levels, counted at every third pixel of a large one.
GRAPHIC_LEVELS = 40
_EVERY = 3
# Floats are limited to this before they are computed with; what is as far from black and white is either.
_FAR = 1e30


def luma_crops(image: Image) -> list[Plane]:
    """Take crops on an even grid over an image.

    Args:
        image: Of any type and size.

    Returns:
        Luma as (height, width) float32 on the scale 0 to 255, of full range. Crops begin at multiples of 8 pixels, so
        that JPEG's grid lies at the same place in all of them. An image of up to 512 x 512 pixels is covered wholly.
    """
    tops, lefts = (_starts(side) for side in image.pixels.shape[:2])
    return [_luma(image, image.pixels[top : top + CROP, left : left + CROP]) for top in tops for left in lefts]


def blocks(plane: Plane, side: int) -> Plane:
    """Cut a plane into square blocks, (N, side, side); what is left at the right and below is left out."""
    height, width = (length // side * side for length in plane.shape)
    cut = plane[:height, :width].reshape(height // side, side, width // side, side)
    return cut.swapaxes(1, 2).reshape(-1, side, side)


def is_graphic(crops: Sequence[Plane]) -> bool:
    """Return whether so few different levels occur that it is drawn, as pixel art, and not a photo."""
    values = np.sort(np.concatenate([crop.ravel()[::_EVERY] for crop in crops]))
    levels = 1 + np.count_nonzero(values[1:] != values[:-1])  # np.unique would import np.ma, in 15 ms
    return bool(levels <= GRAPHIC_LEVELS)


def _starts(side: int) -> list[int]:
    count = min(ACROSS, math.ceil(side / CROP))
    if count * CROP >= side:
        return [n * CROP for n in range(count)]
    return [round(n * (side - CROP) / (count - 1)) // _BLOCK * _BLOCK for n in range(count)]


def _luma(image: Image, pixels: NDArray[np.generic]) -> Plane:
    """Full-range luma; transparent pixels, whose colours are invisible, become a flat grey."""
    header = image.header
    if pixels.dtype.kind == "f":
        pixels = np.clip(pixels.astype(np.float64), -_FAR, _FAR)
    values = convert(pixels, header.levels, np.dtype(np.float32), (0, 255))
    colours = values[..., : header.colours]
    grey = colours[..., 0] if header.colours == 1 else colour.from_studio(colour.luma(colours / np.float32(255))) * 255
    grey = np.nan_to_num(grey, nan=0.0, posinf=255.0, neginf=0.0)
    if header.alpha:
        grey = np.where(values[..., -1] > 0, grey, np.float32(128))
    clipped: Plane = np.clip(grey, 0, 255).astype(np.float32)
    return clipped
