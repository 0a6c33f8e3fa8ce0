"""PNG's chunks: whether all are there, what each one is, and the metadata in them. PNG 3rd edition (W3C, 2025).

libpng stops reading at the last pixel, so metadata lost to a truncation after it would go unnoticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The format's name in messages, and in metadata of its own.
NAME = "PNG"

XMP = b"XML:com.adobe.xmp\0"
TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Colour spaces: gamma, primaries, sRGB, codes of H.273, HDR10's mastering display and light levels.
COLOUR = {
    b"gAMA": "gamma",
    b"cHRM": "primaries",
    b"sRGB": "sRGB",
    b"cICP": "colour codes (cICP)",
    b"mDCV": "mastering display (mDCV)",
    b"cLLI": "light levels (cLLI)",
}
# Drafts of the third edition spelt two of them so.
SPELLINGS = {b"mDCv": b"mDCV", b"cLLi": b"cLLI"}
# Longer texts are taken for an attack.
_LONGEST = 1 << 26


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


def with_end(data: Bytes) -> bytes | None:
    """Return a file that lacks only its last chunk, or a part of it, with that chunk; None for any other file.

    Whether all pixels are there is for their decoder to say.
    """
    end = chunk(b"IEND", b"")
    at, pixels = len(SIGNATURE), False
    while at + 8 <= len(data) and not end.startswith(data[at : at + len(end)]):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        pixels |= kind == b"IDAT"
        at += 12 + length
    missing = at <= len(data) < at + len(end) and end.startswith(data[at:])
    return data[:at] + end if pixels and missing else None


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def keyword_of(content: bytes) -> bytes:
    """Return the keyword of a text chunk."""
    return content.partition(b"\0")[0]


def inflated(packed: bytes) -> bytes:
    """Return decompressed bytes; b"" if they are damaged."""
    try:
        return zlib.decompressobj().decompress(packed, _LONGEST)
    except zlib.error:
        return b""


def xmp_in(content: bytes) -> bytes:
    """Return the XMP packet in an iTXt chunk that has the keyword for it; b"" if it is damaged."""
    # Behind two flags come language and translated keyword, each with a zero at its end.
    packet = content[len(XMP) + 2 :].split(b"\0", 2)[-1]
    return inflated(packet) if content[len(XMP) : len(XMP) + 1] == b"\1" else packet


def raw_profile(kind: bytes, content: bytes) -> tuple[str, bytes] | None:
    """Return the type and the bytes of a profile in hexadecimal text, ImageMagick's way before PNG had chunks for them.

    Args:
        kind: tEXt or zTXt.
        content: The chunk's content.
    """
    keyword, _, text = content.partition(b"\0")
    if not keyword.startswith(b"Raw profile type ") or kind == b"iTXt":
        return None
    words = (inflated(text[1:]) if kind == b"zTXt" else text).split()
    try:
        profile = bytes.fromhex(b"".join(words[2:]).decode("ascii"))
    except ValueError:
        return None
    return (keyword[17:].decode("latin-1").lower(), profile) if profile else None


def raw_profile_chunk(name: str, profile: bytes) -> bytes:
    """Return a chunk that holds a profile in hexadecimal text."""
    digits = profile.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{name}\n{len(profile):8d}\n{lines}\n"
    return chunk(b"zTXt", f"Raw profile type {name}\0\0".encode() + zlib.compress(text.encode()))
