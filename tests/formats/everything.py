"""Files that hold one of every kind of thing that a format knows, put together from parts, without the package."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.formats import jpeg_files
from tests.formats.jpeg_files import packet, resource
from tests.formats.samples import ICC, exif_block

CAPTION = b"\x1c\x02\x78\0\x05Hello"
XMP = packet('dc:source="somewhere"', dc="http://purl.org/dc/elements/1.1/")
_MANIFEST = b"\0\0\0\x20jumb\0\0\0\x18jumdc2pa" + bytes(16)


def _image(shift: int = 0, mode: str = "RGB") -> PIL.Image.Image:
    y, x = np.mgrid[:24, :40]
    pixels = np.stack([(x * 5 + shift) % 256, y * 7 % 256, 0 * x + 90, 255 - x], axis=2).astype(np.uint8)
    return PIL.Image.fromarray(pixels).convert(mode)


def _encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    _image(mode=mode).save(file, kind, **options)
    return file.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _hexadecimal(name: str, profile: bytes) -> bytes:
    return f"Raw profile type {name}\0\n{name}\n{len(profile):8d}\n{profile.hex()}\n".encode()


def png() -> bytes:
    """Every chunk of the third edition and its extensions, and what ImageMagick adds."""
    data = _encoded("PNG")
    numbers = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    chunks = {
        b"iCCP": b"p\0\0" + zlib.compress(ICC),
        b"cICP": bytes([12, 13, 0, 1]),
        b"mDCV": struct.pack(">8HII", 35400, 14600, 8500, 39850, 6550, 2300, 15635, 16450, 10_000_000, 50),
        b"cLLI": struct.pack(">II", 10_000_000, 4_000_000),
        b"sRGB": b"\1",
        b"gAMA": struct.pack(">I", 50000),
        b"cHRM": numbers,
        b"pHYs": struct.pack(">IIB", 2, 1, 0),
        b"sBIT": bytes([5, 6, 5]),
        b"bKGD": struct.pack(">3H", 1, 2, 3),
        b"sPLT": b"six\0\x08" + bytes([1, 2, 3, 4, 0, 5]),
        b"tIME": struct.pack(">H5B", 2020, 1, 2, 3, 4, 5),
        b"oFFs": struct.pack(">iiB", -5, 7, 0),
        b"sCAL": b"\0010.5\x000.5",
        b"pCAL": b"c\0" + struct.pack(">iiBB", 0, 255, 0, 2) + b"mm\0000\0001",
        b"sTER": b"\0",
        b"caNv": struct.pack(">IIii", 50, 30, 1, 2),
        b"vpAg": struct.pack(">IIB", 50, 30, 0),
        b"gIFg": b"\1\0\0",
        b"gIFx": b"ABCDEFGH123data",
        b"prVt": b"safe to copy",
        b"prVT": b"not safe",
        b"caBX": _MANIFEST,
        b"dSIG": b"signature",
        b"orNT": b"\1",
        b"tEXt": b"Author\0me",
        b"zTXt": b"Comment\0\0" + zlib.compress(b"words"),
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + XMP,
        b"eXIf": exif_block(),
    }
    more = _chunk(b"iTXt", b"Title\0\0\0de\0Titel\0Wort") + _chunk(
        b"tEXt", _hexadecimal("iptc", resource(0x404, CAPTION))
    )
    return data[:33] + b"".join(_chunk(*each) for each in chunks.items()) + more + data[33:] + b"behind"


def gif() -> bytes:
    """Every block, in an animation."""
    data = _encoded("GIF", save_all=True, append_images=[_image(60)], duration=90, loop=3)
    at = 13 + (3 << (data[10] & 7) + 1)

    def application(name: bytes, content: bytes) -> bytes:
        parts = [content[start : start + 255] for start in range(0, len(content), 255)]
        return b"\x21\xff\x0b" + name + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"

    added = application(b"ICCRGBG1012", ICC) + application(b"SOMEAPP1234", b"data")
    added += b"\x21\xff\x0bXMP DataXMP" + XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    added += b"\x21\xfe\5words\0" + application(b"C2PA_GIF\1\0\0", _MANIFEST)
    text = b"\x21\x01\x0c" + bytes(12) + b"\5Hello\0"
    return data[:12] + b"\x81" + data[13:at] + added + data[at:-1] + text + data[-1:] + b"behind"


def webp() -> bytes:
    """Every chunk, in an animation with a background."""
    moving: dict[str, Any] = {"save_all": True, "append_images": [_image(60, "RGBA")], "duration": 90}
    blocks: dict[str, Any] = {"exif": exif_block(), "icc_profile": ICC, "xmp": XMP}
    data = _encoded("WEBP", "RGBA", background=(1, 2, 3, 4), **moving, **blocks)
    for kind, content in ((b"ABCD", b"unknown."), (b"C2PA", _MANIFEST)):
        data += kind + struct.pack("<I", len(content)) + content
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:] + b"behind"


def bmp() -> bytes:
    """A profile in version 5 of the header, a resolution, and bytes behind."""
    data = _encoded("BMP")
    pixels = data[54:]
    head = struct.pack("<IiiHHIIiiII", 124, 40, 24, 1, 24, 0, len(pixels), 11811, 5906, 0, 0)
    head += bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(pixels), len(ICC), 0)
    size = 138 + len(pixels) + len(ICC)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 138) + head + pixels + ICC + b"behind"


def tiff(path: Path) -> None:
    """Two pages with descriptions, tags of EXIF, blocks of metadata, Photoshop's resources, and unknown tags."""
    tifffile = pytest.importorskip("tifffile", reason="tifffile, which writes the file, is not installed")
    resources = resource(0x3ED, struct.pack(">IHHIHH", 300 << 16, 1, 1, 300 << 16, 1, 1)) + resource(0x404, CAPTION)
    resources += resource(0x7D0, bytes(26)) + resource(0x408, struct.pack(">IIIIIB", 1, 0, 0, 1, 9, 0))
    tags = [
        (271, 2, 0, "Maker", True),
        (286, 5, 1, (3, 2), True),
        (297, 3, 2, (0, 2), True),
        (315, 2, 0, "Artist", True),
        (337, 2, 0, "Printer", True),
        (700, 1, len(XMP), XMP, True),
        (33432, 2, 0, "Copyright", True),
        (33723, 7, len(CAPTION), CAPTION, True),
        (34377, 7, len(resources), resources, True),
        (37724, 7, 8, b"layers..", True),
        (42112, 2, 0, "<GDALMetadata/>", True),
        (52545, 7, len(_MANIFEST), _MANIFEST, True),
        (65000, 2, 0, "private", True),
    ]
    with tifffile.TiffWriter(path) as writer:
        for number in range(2):
            writer.write(
                np.asarray(_image(60 * number)),
                photometric="rgb",
                description=f"page {number}",
                resolution=(100, 50),
                resolutionunit=3,
                iccprofile=ICC,
                extratags=tags,
                metadata=None,
            )


def imagej(path: Path) -> None:
    """A stack of ImageJ's with calibration and labels."""
    tifffile = pytest.importorskip("tifffile", reason="tifffile, which writes the file, is not installed")
    planes = np.stack([np.asarray(_image(60 * number, "L")) for number in range(2)])
    metadata = {"unit": "um", "spacing": 0.5, "axes": "ZYX", "Info": "words", "Labels": ["a", "b"]}
    tifffile.imwrite(path, planes, imagej=True, resolution=(5.0, 5.0), metadata=metadata)


def jpeg2000() -> bytes:
    """Every block of metadata in boxes, behind the pixels."""
    data = _encoded("JPEG2000", num_resolutions=1)
    uuids = {
        "be7acfcb97a942e89c71999491e3afac": XMP,
        "4a706754696666457869662d3e4a5032": exif_block(),
        "33c7a4d2b81d4723a0baf1a3e097ad38": CAPTION,
        "b14bf8bd083d4b43a5ae8cd7d5a6ce03": b"place",
    }
    for uuid, content in uuids.items():
        data += struct.pack(">I4s", 24 + len(content), b"uuid") + bytes.fromhex(uuid) + content
    return data + struct.pack(">I4s", 14, b"xml ") + b"<xml/>"


def ultra_hdr_with_everything() -> bytes:
    """A gain map that the image announces twice, non-square pixels, and a video behind."""
    announcement = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"
    gain = jpeg_files.with_segments(
        (0xE2, announcement), image=jpeg_files.with_xmp(jpeg_files.GAIN_MAP, jpeg_files.jpeg(20, 12, "L"))
    )
    image = bytearray(jpeg_files.jpeg())
    image[13:18] = struct.pack(">BHH", 0, 2, 1)
    main = jpeg_files.with_segments(
        (0xE2, announcement),
        (0xEC, b"Ducky\0\1\0\4\0\0\0\x50\0\2\0\5\0\0\0\2\0a\0\0"),
        (0xE5, b"ssuniqueid\0number"),
        (0xED, b"Photoshop 3.0\0" + resource(0x40C, b"thumb") + resource(0x404, CAPTION) + resource(0x40A, b"\1")),
        image=jpeg_files.with_xmp(jpeg_files.GAIN_MAP, bytes(image)),
    )
    return jpeg_files.with_index(main, gain) + jpeg_files.mp4()
