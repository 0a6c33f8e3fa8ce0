"""BMP: decoded by Pillow, or here; encoded here, with 8 bits (grey) or 24; version 5 of the header for a profile."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import bmp_bitfields, pillow
from hyperacuity.formats.photo.bmp_header import metadata_in
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item

# Sizes are stored in 32 bits.
HOLDS = Capacity(name="BMP", nbytes=3_900_000_000, grey=False, metadata={"dpi": UNLIMITED, "icc": UNLIMITED})


def read(content: Content) -> PhotoSource:
    """Open a BMP file."""
    return open_source(content, ".bmp", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels."""
    return metadata_in(content.whole()).items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a BMP file.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    from PIL import BmpImagePlugin

    header = struct.unpack("<I", raw[14:18])[0] if len(raw) >= 18 else 40  # 12 in those of OS/2
    if len(raw) < 14 + min(header, 40):
        raise DamagedFile("it is cut short inside its header")
    start, size = struct.unpack("<I", raw[10:14])[0], struct.unpack("<I", raw[34:38])[0] if header >= 40 else 0
    if header >= 40 and struct.unpack("<I", raw[30:34])[0] in (1, 2) and start + size > len(raw):
        # Pillow fills the missing end of run lengths with black.
        raise DamagedFile(f"it is cut short: {len(raw)} of {start + size} bytes are there")
    try:
        return pillow.still(BmpImagePlugin.BmpImageFile, raw, True, metadata_in(raw))
    except UnsupportedFormat:
        masks = bmp_bitfields.masks_in(raw)
        if masks is None:
            raise

    def decode() -> Iterator[Image]:
        yield upright_image(bmp_bitfields.decoded(raw, masks), len(masks) == 4, metadata_in(raw))

    return Contents(1, None, True, decode)


def _encode(job: EncoderInput) -> None:
    """24 bits, or 8 with a grey palette; rows from the bottom up, padded to 4 bytes."""
    height, width, channels = job.header.shape
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256)) if channels == 1 else b""
    padding = -width * channels % 4
    icc = job.metadata.icc or b""
    length = 124 if icc else 40
    start, size = 14 + length + len(palette), (width * channels + padding) * height
    dpi = job.metadata.dpi or (0, 0)
    per_metre = [min(round(number / 0.0254), 2**31 - 1) for number in dpi]
    head = struct.pack("<2sIHHI", b"BM", start + size + len(icc), 0, 0, start)
    colours = len(palette) // 4
    head += struct.pack("<IiiHHIIiiII", length, width, height, 1, channels * 8, 0, size, *per_metre, colours, 0)
    if icc:
        # No masks and numbers of colour; "MBED", perceptual intent; the profile stands behind the pixels.
        head += bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 4, start - 14 + size, len(icc), 0)
    job.out.write(head + palette)
    for band in job.pages[0].bands(upwards=True):
        rows = band[..., ::-1].reshape(len(band), width * channels)
        job.out.write(np.pad(rows, ((0, 0), (0, padding))).data)
    job.out.write(icc)
