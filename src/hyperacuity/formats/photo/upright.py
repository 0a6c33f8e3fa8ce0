"""Decoded pixels rotated or mirrored as their metadata specifies, and the metadata updated."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import Array, Image, Metadata


def upright_image(
    pixels: Array,
    alpha: bool,
    metadata: Metadata,
    *,
    orientation: int | None = None,
    levels: tuple[float, float] | None = None,
    duration: float | None = None,
) -> Image:
    """Return the image upright, with updated metadata.

    Args:
        pixels: (H, W, C) as stored.
        alpha: Whether the last channel is alpha.
        metadata: As stored.
        orientation: 1 to 8, as EXIF counts; None takes it from the metadata.
        levels: Black and white, by default those of the type.
        duration: Seconds that this frame of an animation is shown.
    """
    exif, xmp, dpi, ratio = metadata.exif, metadata.xmp, metadata.dpi, metadata.density_ratio
    try:
        stored = meta.orientation(exif, xmp)
        exif = meta.upright(exif) if exif else None
    except DamagedFile as error:
        warnings.warn(LossWarning(f"the EXIF block is damaged and is left out: {error}"), stacklevel=2)
        stored, exif = meta.orientation(None, xmp), None
    turn = stored if orientation is None else orientation
    if turn >= 5 and dpi:
        dpi = dpi[1], dpi[0]
    if turn >= 5 and ratio:
        ratio = ratio[1], ratio[0]
    pixels = _turned(pixels, turn)
    metadata = replace(
        metadata,
        exif=exif,
        xmp=meta.xmp_upright(xmp) if xmp else None,
        dpi=dpi,
        density_ratio=ratio,
        size=(pixels.shape[1], pixels.shape[0]),
    )
    return Image.from_pixels(pixels, alpha=alpha, levels=levels, metadata=metadata, duration=duration)


def _turned(pixels: Array, orientation: int) -> Array:
    """Pixels rotated or mirrored by EXIF's orientation, 1 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # After the swap, 6 and 7 mirror columns and 7 and 8 rows; before, 2 and 3 columns and 3 and 4 rows.
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
