"""JPEG 2000: decoded by Pillow; only read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NoReturn

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import pillow
from hyperacuity.formats.photo.jp2_boxes import metadata_in
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.protocol import Source
from hyperacuity.image import Item

HOLDS = None

# The marker before the size.
_CODESTREAM = b"\xff\x4f\xff\x51"


def read(content: Content) -> PhotoSource:
    """Open a JPEG 2000 file, whose copy is a PNG."""
    return open_source(content, ".png", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List the boxes of the file besides its pixels."""
    return metadata_in(content.whole()).items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> NoReturn:
    """Refuse: the format is only read.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    raise UnsupportedFormat(f"{path}: JPEG 2000 is read and not written; write to .png or .tif instead")


def _contents(raw: Bytes) -> Contents:
    from PIL import Jpeg2KImagePlugin

    at = raw.find(_CODESTREAM) + 2
    if at == 1 or len(raw) < at + 41:
        raise DamagedFile("it holds no JPEG 2000 codestream")
    channels, depth = struct.unpack(">HB", raw[at + 38 : at + 41])
    bits = (depth & 127) + 1
    if depth & 128 or bits > 16 or (bits > 8 and channels > 1):
        sign = "signed " if depth & 128 else ""
        raise UnsupportedFormat(f"its {channels} channels of {sign}{bits} bits cannot be read without loss")
    # Pillow shifts 9 to 15 bits to the top of 16.
    levels = (0, ((1 << bits) - 1) << (16 - bits)) if bits > 8 else None
    return pillow.still(Jpeg2KImagePlugin.Jpeg2KImageFile, raw, False, metadata_in(raw), levels)
