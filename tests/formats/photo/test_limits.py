"""Files that announce too many pixels are refused by their headers."""

from __future__ import annotations

import struct
import zlib

import PIL.Image
import pytest

from hyperacuity import formats
from hyperacuity.errors import UnsupportedFormat, UsageError
from tests.formats.samples import (
    encoded,
    load,
)


def bomb(width: int, height: int) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))


def test_bombs_are_refused_by_their_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedFormat, match=r"60000 × 60000 .* HYPERACUITY_MAX_PIXELS=3600000000"):
        formats.read(bomb(60000, 60000))
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";"
    bmp = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 100000, 100000, 1, 24, 0, 0, 0, 0, 0, 0)
    for data in (gif, bmp, b"P6 100000 100000 255\n"):
        with pytest.raises(UnsupportedFormat, match="HYPERACUITY_MAX_PIXELS"):
            formats.read(data)
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "3000")
    with pytest.raises(UnsupportedFormat, match="more than 3000 are not decoded"):
        formats.read(encoded("PNG"))
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "3072")
    assert load(encoded("PNG")).header.shape == (48, 64, 3)
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "many")
    with pytest.raises(UsageError, match="'many'"):
        formats.read(encoded("PNG"))


def test_pillow_limit_of_the_host_is_neither_used_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("BMP", "GIF", "JPEG2000"):
        data = encoded(kind)
        with formats.read(data) as source:
            assert all(image.header.shape == (48, 64, 3) for image in source)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10
