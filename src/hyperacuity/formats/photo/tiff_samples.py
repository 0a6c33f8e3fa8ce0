"""The values in a TIFF page, decoded strip by strip or tile by tile, for pages that libvips does not read.

These are 64-bit floats, tiles of separate planes, 9 to 15 bits, and pages compressed with ZSTD, LZMA or one of
`tiff_codecs`. zlib and lzma are Python's; ZSTD is undone by the libtiff in Pillow, which gets each strip as an image
of bytes.

TIFF 6.0 (1992), Adobe Photoshop TIFF Technical Note 3 (the predictor of floats).
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.photo import pillow
from hyperacuity.formats.photo.tiff_codecs import CODECS, decode_block
from hyperacuity.formats.photo.tiff_tags import Directory, Tiff, packed, sized_integers
from hyperacuity.image import Array

ZSTD = 50000
# Bytes that the decoder of LZMA may use.
_LZMA_MEMORY = 256 << 20
# One byte, "A", compressed with ZSTD.
_ZSTD_SAMPLE = b"\x28\xb5\x2f\xfd\x20\x01\x09\x00\x00A"
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class _Blocks:
    """How a page is divided: the size of a block, the values of a pixel in it, and how many planes there are."""

    height: int
    width: int
    rows: int
    columns: int
    values: int
    planes: int
    tiled: bool


def samples(tiff: Tiff, page: Directory, rows: tuple[int, int] | None = None) -> Array:
    """Return the stored values of a page, (H, W, values of a pixel): unsigned integers or floats.

    Args:
        tiff: The file.
        page: One of its pages.
        rows: Only the rows [first, last), from the strips or tiles that hold them; None for all.

    Raises:
        DamagedFile: If a strip or tile is missing or damaged.
        UnsupportedFormat: If the values are of a type that is not read.
    """
    blocks = _blocks(tiff, page)
    bits, dtype = _type(tiff, page)
    unpack = _unpacking(tiff, page, bits, dtype)
    offsets, sizes = (tiff.integers(page, tag) for tag in ((324, 325) if blocks.tiled else (273, 279)))
    across, down = -(-blocks.width // blocks.columns), -(-blocks.height // blocks.rows)
    if min(len(offsets), len(sizes)) < across * down * blocks.planes:
        raise DamagedFile("it does not state where all its pixels are")
    first, last = rows or (0, blocks.height)
    kept = np.zeros((last - first, blocks.width, blocks.values * blocks.planes), dtype.newbyteorder("="))
    for index in range(across * down * blocks.planes):
        plane, place = divmod(index, across * down)
        top, left = place // across * blocks.rows, place % across * blocks.columns
        high = blocks.rows if blocks.tiled else min(blocks.rows, blocks.height - top)
        if not sizes[index] or top >= last or top + high <= first:
            continue  # no rows that are wanted, or a block of zeros that was not written, as GDAL does
        stored = bytes(tiff.data[offsets[index] : offsets[index] + sizes[index]])
        if tiff.integer(page, 266, 1) == 2:
            stored = stored.translate(_MIRRORED)
        if tiff.integer(page, 259, 1) in CODECS:
            values = decode_block(tiff, page, stored, (high, blocks.columns, blocks.values))
        else:
            row = -(-blocks.columns * blocks.values * bits // 8)
            raw = _decompressed(stored, tiff.integer(page, 259, 1), row, high)
            if len(raw) < row * high:
                raise DamagedFile(f"a part of its pixels has {len(raw)} of {row * high} bytes")
            values = unpack(np.frombuffer(raw, np.uint8, row * high).reshape(high, row), blocks.columns, blocks.values)
        if values.dtype.kind != kept.dtype.kind or values.dtype.itemsize > kept.dtype.itemsize:
            raise UnsupportedFormat(f"a part of its pixels is of the type {values.dtype} instead of {kept.dtype}")
        values = values[max(0, first - top) : last - top, : blocks.width - left]
        above, channel = max(0, top - first), plane * blocks.values
        kept[above : above + len(values), left : left + values.shape[1], channel : channel + blocks.values] = values
    return kept


def _blocks(tiff: Tiff, page: Directory) -> _Blocks:
    width, height, values = (tiff.integer(page, tag, default) for tag, default in ((256, 0), (257, 0), (277, 1)))
    if not 1 <= values <= 5:
        raise UnsupportedFormat(f"it has {values} channels; grey and RGB are read, each with or without alpha")
    separate = tiff.integer(page, 284, 1) == 2 and values > 1
    tiled = 324 in page
    columns = tiff.integer(page, 322, 0) if tiled else width
    rows = tiff.integer(page, 323, 0) if tiled else min(tiff.integer(page, 278, height), height)
    if columns < 1 or rows < 1 or (tiled and columns * rows > max(1 << 26, 4 * width * height)):
        raise DamagedFile(f"its tiles have {columns} × {rows} pixels")
    return _Blocks(height, width, rows, columns, 1 if separate else values, values if separate else 1, tiled)


def _type(tiff: Tiff, page: Directory) -> tuple[int, np.dtype[np.generic]]:
    """How many bits a value has as stored, and its type in memory."""
    several = set(tiff.integers(page, 258) or (1,))
    bits = several.pop()
    floats = tiff.integer(page, 339, 1) == 3
    if several or bits not in ((16, 32, 64) if floats else range(1, 17)):
        raise UnsupportedFormat(
            f"its values have {bits} bits{' each, or others' if several else ''}, which is not read"
        )
    if floats:
        return bits, np.dtype(f"{tiff.order}f{bits // 8}")
    return bits, np.dtype(np.uint8) if bits <= 8 else np.dtype(f"{tiff.order}u2")


def _unpacking(
    tiff: Tiff, page: Directory, bits: int, dtype: np.dtype[np.generic]
) -> Callable[[Array, int, int], Array]:
    """How rows of bytes become values."""
    predictor = tiff.integer(page, 317, 1)
    if predictor not in (1, 2, 3) or (predictor == 3 and dtype.kind != "f"):
        raise UnsupportedFormat(f"it uses the predictor {predictor}, which is not read")

    def unpack(rows: Array, columns: int, values: int) -> Array:
        count = len(rows)
        if bits % 8:
            digits = np.unpackbits(rows, axis=1)[:, : columns * values * bits].reshape(count, columns, values, bits)
            return digits @ (1 << np.arange(bits - 1, -1, -1, dtype=dtype.newbyteorder("=")))
        if predictor == 3:
            summed = np.add.accumulate(rows.reshape(count, -1, values), axis=1, dtype=np.uint8)
            planes = summed.reshape(count, dtype.itemsize, columns * values).transpose(0, 2, 1)
            return np.ascontiguousarray(planes).view(dtype.newbyteorder(">")).reshape(count, columns, values)
        if predictor == 2:
            integers = np.dtype(f"{tiff.order}u{dtype.itemsize}")
            found = rows.view(integers).reshape(count, columns, values).astype(integers.newbyteorder("="))
            summed = np.add.accumulate(found, axis=1, dtype=found.dtype)
            return summed.view(dtype.newbyteorder("="))
        return rows.view(dtype).reshape(count, columns, values)

    return unpack


def _decompressed(stored: bytes, compression: int, row: int, rows: int) -> bytes:
    """Up to `rows` rows of `row` bytes."""
    if compression == 1:
        return stored
    try:
        if compression in (8, 32946):
            return zlib.decompressobj().decompress(stored, row * rows)
        if compression == 34925:
            return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(stored, row * rows)
    except (zlib.error, lzma.LZMAError) as error:
        raise DamagedFile(f"its pixels cannot be decompressed: {error}") from error
    try:
        return _by_pillow(stored, compression, row, rows)
    except DamagedFile as error:
        if compression == ZSTD and not _has_zstd():
            raise UnsupportedFormat(
                "its pixels are compressed with ZSTD, which the installed Pillow lacks; save it with deflate first"
            ) from error
        raise


def _by_pillow(stored: bytes, compression: int, row: int, rows: int) -> bytes:
    """The bytes of a strip, which Pillow reads as an image of one byte a pixel."""
    from PIL import TiffImagePlugin

    def file(start: int) -> bytes:
        tags = {256: row, 257: rows, 258: 8, 259: compression, 262: 1, 273: start, 277: 1, 278: rows, 279: len(stored)}
        entries = {tag: sized_integers("<", [value], big=False) for tag, value in tags.items()}
        return b"II*\0\x08\0\0\0" + packed(entries, 8, "<")

    with pillow.opened(TiffImagePlugin.TiffImageFile, file(len(file(0))) + stored) as image:
        return bytes(image.tobytes())


def _has_zstd() -> bool:
    try:
        return _by_pillow(_ZSTD_SAMPLE, ZSTD, 1, 1) == b"A"
    except DamagedFile:
        return False
