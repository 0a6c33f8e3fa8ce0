"""Codecs of whole images inside TIFF, by imagecodecs, an extra: LERC (Esri's, of science), JPEG XL and JPEG 2000."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, MissingDependency, UnsupportedFormat
from hyperacuity.formats.photo.tiff_tags import Directory, Tiff
from hyperacuity.image import Array

# By the numbers of TIFF: what each is called.
CODECS = {34887: "LERC", 50002: "JPEG XL", 34712: "JPEG 2000"}
_LERC, _JPEG_XL, _JPEG_2000 = CODECS
# What LERC is compressed with once more: the second number of the tag LercParameters.
_LERC_PARAMETERS, _DEFLATE, _ZSTD = 50674, 1, 2


def decode_block(tiff: Tiff, page: Directory, stored: bytes, shape: tuple[int, int, int]) -> Array:
    """Decode a strip or a tile.

    Args:
        tiff: The file.
        page: The page of the block.
        stored: The bytes of the block.
        shape: (rows, columns, values of a pixel) of the block.

    Returns:
        The values, in the order of bytes of this machine.

    Raises:
        MissingDependency: If imagecodecs is not installed.
        UnsupportedFormat: If the codec holds other values than the page states.
        DamagedFile: If the block cannot be decoded.
    """
    number = tiff.integer(page, 259, 1)
    name = CODECS[number]
    try:
        import imagecodecs
    except ImportError as error:
        raise MissingDependency(
            f"its pixels are compressed with {name}, which needs imagecodecs: pip install 'hyperacuity[jxl]'"
        ) from error
    try:
        decoded: Any
        if number == _LERC:
            further = (*tiff.integers(page, _LERC_PARAMETERS), 0, 0)[1]
            if further == _DEFLATE:
                stored = zlib.decompress(stored)
            elif further == _ZSTD:
                stored = bytes(imagecodecs.zstd_decode(stored))
            decoded = imagecodecs.lerc_decode(stored)
        elif number == _JPEG_XL:
            decoded = imagecodecs.jpegxl_decode(stored)
        else:
            decoded = imagecodecs.jpeg2k_decode(stored)
    except (RuntimeError, ValueError, TypeError, zlib.error) as error:
        raise DamagedFile(f"its pixels cannot be decompressed: {error}") from error
    values = np.asarray(decoded)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2:] != shape[2:] or values.shape[1] < shape[1] or values.shape[0] < shape[0]:
        raise UnsupportedFormat(
            f"a part of its pixels, in {name}, has the shape {values.shape} instead of {shape}, which is not read"
        )
    return values[: shape[0], : shape[1]]
