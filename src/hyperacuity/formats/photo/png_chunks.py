"""PNG's chunks: whether all are there, and the metadata in them. PNG 3rd edition (W3C, 2025).

libpng stops reading at the last pixel, so metadata lost to a truncation after it would go unnoticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes
from hyperacuity.image import Metadata, Native

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The format's name in messages, and in metadata of its own.
NAME = "PNG"

_XMP = b"XML:com.adobe.xmp\0"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Colour spaces: gamma, primaries, sRGB, codes of H.273, HDR10's mastering display and light levels.
_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_GAMMA_OF_SRGB = 45455


def chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk's content, up to and including IEND.

    Raises:
        DamagedFile: If the file ends earlier.
    """
    at = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        if at + 8 > len(data):
            raise DamagedFile("it is cut short: it ends before its last chunk (IEND)")
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if at + 12 + length > len(data):
            which = f"its {kind.decode()} chunk" if kind.isalpha() else "a chunk without a name"
            raise DamagedFile(f"it is cut short inside {which}")
        yield kind, at + 8, at + 8 + length
        at += 12 + length


def metadata_in(data: Bytes) -> Metadata:
    """Return all metadata except the ICC profile, including those after the pixels, which libpng does not read."""
    exif = xmp = dpi = None
    own: list[bytes] = []
    for kind, start, end in chunks(data):
        if kind == b"eXIf":
            exif = bytes(data[start:end])
        elif kind == b"iTXt" and data[start : start + len(_XMP)] == _XMP:
            compressed = data[start + len(_XMP)]
            # Behind two flags come language and translated keyword, each with a zero at its end.
            packet = bytes(data[start + len(_XMP) + 2 : end]).split(b"\0", 2)[-1]
            xmp = _unpacked(packet) if compressed else packet
        elif kind in _TEXT and (profile := _raw_profile(kind, bytes(data[start:end]))):
            exif = exif or profile
        elif kind in (*_TEXT, *_COLOUR):
            own.append(chunk(kind, bytes(data[start:end])))
        elif kind == b"pHYs" and end - start == 9:
            across, down, unit = struct.unpack(">IIB", data[start:end])
            dpi = (across * 0.0254, down * 0.0254) if unit == 1 and across and down else None
    return Metadata(None, exif, xmp, dpi, native(b"".join(own)))


def _unpacked(packet: bytes) -> bytes:
    """A decompressed packet; b"" if it is damaged."""
    try:
        return zlib.decompressobj().decompress(packet, 1 << 24)
    except zlib.error:
        return b""


def native(whole: bytes) -> Native | None:
    """Return whole chunks of text and colour as metadata that only a PNG file holds."""
    return Native(NAME, whole, "PNG text or colour" if _is_informative(whole) else "") if whole else None


def _is_informative(whole: bytes) -> bool:
    """Whether chunks specify colours other than sRGB, which every reader assumes."""
    data = SIGNATURE + whole + chunk(b"IEND", b"")
    for kind, start, end in chunks(data):
        if kind in (*_TEXT, b"cICP", b"mDCV", b"cLLI"):
            return True
        if kind == b"gAMA" and abs(int.from_bytes(data[start:end]) - _GAMMA_OF_SRGB) > _GAMMA_OF_SRGB // 100:
            return True
    return False


def _raw_profile(kind: bytes, content: bytes) -> bytes | None:
    """EXIF in hexadecimal text, as ImageMagick wrote it before PNG had a chunk for it."""
    keyword, _, text = content.partition(b"\0")
    if keyword not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return None
    try:
        words = (zlib.decompressobj().decompress(text[1:], 1 << 20) if kind == b"zTXt" else text).split()
        return bytes.fromhex(b"".join(words[2:]).decode("ascii")) or None
    except (zlib.error, ValueError):
        return None


def chunks_of(metadata: Metadata) -> bytes:
    """Return the chunks that hold EXIF, XMP and native metadata, to insert after IHDR."""
    block = metadata.native.data if metadata.native else b""
    block += chunk(b"eXIf", metadata.exif) if metadata.exif else b""
    return block + (chunk(b"iTXt", _XMP + b"\0\0\0\0" + metadata.xmp) if metadata.xmp else b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
