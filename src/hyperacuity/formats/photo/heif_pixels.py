"""The main image of an AVIF file, decoded by libvips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.heif_metadata import contents_of
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.source import Contents
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.image import Array, Image


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
    metadata = replace(found.metadata, dpi=meta.dpi(exif) if exif else None)

    def decode() -> Iterator[Image]:
        image = vips.loaded("heifload_source", raw, fail_on="error")
        pixels, alpha = vips.pixels_of(image)
        # libvips shifts 10 and 12 bits to the top of 16, so white is not 65535.
        white = ((1 << bits) - 1) << (16 - bits) if pixels.dtype == np.uint16 else 255
        if alpha and found.premultiplied:
            pixels = unmultiplied(pixels, white)
        if found.grey:
            pixels = np.concatenate([pixels[..., :1], pixels[..., 3:]], axis=2) if alpha else pixels[..., :1]
        # The file's own rotation is applied by the decoder, and EXIF's is to be ignored (MIAF, 7.3.6.7).
        yield upright_image(pixels, alpha, metadata, orientation=1, levels=(0, white))

    return Contents(1, None, False, decode)


def unmultiplied(pixels: Array, white: int) -> Array:
    """Return pixels whose colours are not multiplied by alpha."""
    alpha = np.maximum(pixels[..., -1:].astype(np.float64), 1)
    colours = np.minimum(np.floor(pixels[..., :-1] * (white / alpha) + 0.5), white)
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], axis=2)
