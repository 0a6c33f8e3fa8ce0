"""The pixels of AVIF and HEIC: their depth, alpha and chroma; those of AVIF are decoded by libvips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.heif_metadata import HeifContents, contents_of
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.source import Contents
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.image import Array, Header, Image


def contents_from(raw: Bytes) -> Contents:
    """Return the contents of an AVIF file.

    Raises:
        DamagedFile: If its boxes are damaged.
        UnsupportedFormat: If it announces too many pixels.
    """
    found = contents_of(raw)
    # The announced sizes are checked before libheif allocates memory for them.
    for size in found.sizes:
        check_size(*size)
    head = vips.loaded("heifload_source", raw, fail_on="error")
    check_size(head.width, head.height)
    bits = vips.field(head, "bits-per-sample") or 8
    exif = found.metadata.exif
    found = replace(found, metadata=replace(found.metadata, dpi=meta.dpi(exif) if exif else None))

    def decode() -> Iterator[Image]:
        pixels, alpha = vips.pixels_of(vips.loaded("heifload_source", raw, fail_on="error"))
        yield image_of(pixels, alpha, bits, found)

    return Contents(1, None, False, decode)


def image_of(pixels: Array, alpha: bool, bits: int, found: HeifContents, *, duration: float | None = None) -> Image:
    """Return the main image with its metadata, its colours not multiplied by alpha, and grey if it has no chroma.

    Args:
        pixels: (H, W, C); 10 and 12 bits are at the top of 16.
        alpha: Whether the last channel is alpha.
        bits: The depth that the file states.
        found: What the file says besides.
        duration: Seconds that this frame of an animation is shown.
    """
    white = ((1 << bits) - 1) << (16 - bits) if pixels.dtype == np.uint16 else 255
    if alpha and found.premultiplied:
        pixels = unmultiplied(pixels, white)
    if found.grey and pixels.shape[2] > 2:
        pixels = np.concatenate([pixels[..., :1], pixels[..., 3:]], axis=2)
    # The file's own rotation is applied by the decoder, and EXIF's is to be ignored (MIAF, 7.3.6.7).
    return upright_image(pixels, alpha, found.metadata, orientation=1, levels=(0, white), duration=duration)


def bits_of(header: Header, deep: int) -> int:
    """Return the depth to encode: 8, 10 or 12, whichever the levels of the image need, or `deep` if it is more."""
    if header.dtype == np.uint8:
        return 8
    white = int(header.levels[1])
    # The levels of 10 and 12 bits may be shifted to the top of 16.
    needed = (white >> ((white & -white).bit_length() - 1)).bit_length()
    return next((bits for bits in (10, 12) if needed <= bits), deep)


def unmultiplied(pixels: Array, white: int) -> Array:
    """Return pixels whose colours are not multiplied by alpha, which is their last channel."""
    alpha = np.maximum(pixels[..., -1:].astype(np.float64), 1)
    colours = np.minimum(np.floor(pixels[..., :-1] * (white / alpha) + 0.5), white)
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], axis=2)
