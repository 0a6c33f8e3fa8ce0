"""Decoded pixels rotated or mirrored as their metadata specifies, and the metadata updated."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import xmp_container, xmp_measures
from hyperacuity.formats.photo.geometry import Turn
from hyperacuity.formats.photo.xmp import Packet
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import Array, Image, Item, Metadata


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
    stored, exif = _stored_orientation(metadata)
    packet = _packet(metadata.xmp)
    if stored is None:
        stored = xmp_measures.orientation(packet) if packet else 1
    turn = Turn(stored if orientation is None else orientation, pixels.shape[1], pixels.shape[0])
    items, xmp = metadata.items, metadata.xmp
    if exif is None:  # a damaged block has been named
        items = tuple(item for item in items if item.carrier != "exif")
    if packet is not None:
        xmp_measures.turn(packet, turn)
        if xmp_container.holds_credentials(packet):
            xmp_container.remove_credentials(packet)
            items += (Item("XMP dcterms:provenance", "link to Content Credentials (C2PA)"),)
        xmp = packet.result()
    dpi, ratio, gain_map = metadata.dpi, metadata.density_ratio, metadata.gain_map
    if turn.swaps:
        dpi = (dpi[1], dpi[0]) if dpi else None
        ratio = (ratio[1], ratio[0]) if ratio else None
    pixels = _turned(pixels, turn.orientation)
    metadata = replace(
        metadata,
        exif=meta.upright(exif, turn) if exif else None,
        xmp=xmp,
        dpi=dpi,
        density_ratio=ratio,
        gain_map=replace(gain_map, pixels=_turned(gain_map.pixels, turn.orientation)) if gain_map else None,
        items=items,
        size=(pixels.shape[1], pixels.shape[0]),
    )
    return Image.from_pixels(pixels, alpha=alpha, levels=levels, metadata=metadata, duration=duration)


def _stored_orientation(metadata: Metadata) -> tuple[int | None, bytes | None]:
    """The orientation in EXIF, None if it has none, and the EXIF block, None if it is damaged."""
    if metadata.exif is None:
        return None, None
    try:
        meta.upright(metadata.exif)
        return meta.orientation(metadata.exif), metadata.exif
    except DamagedFile as error:
        warnings.warn(LossWarning(f"the EXIF block is damaged and is left out: {error}"), stacklevel=3)
        return None, None


def _packet(xmp: bytes | None) -> Packet | None:
    """The XMP packet; None if it is missing, or is not well-formed and stays as it is."""
    if xmp is None:
        return None
    try:
        return Packet(xmp)
    except DamagedFile as error:
        message = f"the XMP packet is damaged and is kept as it is, with sizes that may not hold: {error}"
        warnings.warn(LossWarning(message), stacklevel=3)
        return None


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
