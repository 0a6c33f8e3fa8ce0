"""EXIF and XMP: the orientation and the size in them, and how to update both. ICC profiles. IPTC.

EXIF is patched in place: makers' notes hold offsets, which stay valid only if nothing moves.
"""

from __future__ import annotations

import re
import struct

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.tiff_tags import EXIF, GPS, Directory, Tiff, joined, tree

MISFIT = "the ICC profile is damaged or not for such pixels (grey or colour) and is left out"

_ORIENTATION = 274
# Tags of a TIFF's first page that describe the image and not how its pixels are stored.
DESCRIPTIVE = frozenset({269, 270, 271, 272, 285, 305, 306, 315, 316, 318, 319, 529, 532, 18246, 18249, 33432})
DESCRIPTIVE |= frozenset(range(40091, 40096))
# Tags of an EXIF block's first directory that describe its file; a TIFF has its own.
STRUCTURAL = frozenset({254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 296, 301, 317})
STRUCTURAL |= frozenset({320, 322, 323, 324, 325, 330, 338, 339, 347, 529, 530, 531, 532, 700, 33723, 34377, 34675})


def prefixed(exif: bytes) -> bytes:
    """Return the block with the prefix that JPEG and libvips require."""
    return b"Exif\0\0" + exif


def unprefixed(exif: bytes) -> bytes:
    """Return the TIFF structure alone."""
    return exif.removeprefix(b"Exif\0\0")


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """Return the orientation, 1 to 8: EXIF's, or else XMP's, or else 1.

    Raises:
        DamagedFile: If the EXIF block is damaged.
    """
    if exif is not None:
        tiff = Tiff(exif)
        entries, _, _ = tiff.directory(tiff.first)
        if _ORIENTATION in entries:
            found = tiff.integer(entries, _ORIENTATION, 1)
            return found if 1 <= found <= 8 else 1
    if xmp is not None:
        match = re.search(rb'tiff:Orientation(?:="|>)\s*([1-8])', xmp)
        if match:
            return int(match[1])
    return 1


def dpi(exif: bytes) -> tuple[float, float] | None:
    """Return pixels per inch, across and down; None if they are missing or the block is damaged."""
    try:
        tiff = Tiff(exif)
        return tiff.dpi(tiff.directory(tiff.first)[0])
    except DamagedFile:
        return None


def upright(exif: bytes) -> bytes:
    """Return the block with orientation 1 and without its thumbnail, which would be outdated."""
    tiff = Tiff(exif)
    entries, following, next_at = tiff.directory(tiff.first)
    patched = bytearray(exif)
    if _ORIENTATION in entries:
        _put(patched, tiff, entries, _ORIENTATION, 1)
    if following:
        patched[next_at : next_at + 4] = b"\0\0\0\0"
        try:
            thumbnail, _, _ = tiff.directory(following)
        except DamagedFile:
            return bytes(patched)
        start, size = tiff.integer(thumbnail, 0x201, 0), tiff.integer(thumbnail, 0x202, 0)
        if start and start + size >= len(exif) - 1:
            del patched[start:]
    return bytes(patched)


def sized(exif: bytes, width: int, height: int) -> bytes:
    """Return the block with its size fields, if it has any, set to a new size."""
    tiff = Tiff(exif)
    patched = bytearray(exif)
    main, _, _ = tiff.directory(tiff.first)
    for entries, tags in ((main, (256, 257)), (tree(tiff, main).get(EXIF, {}), (0xA002, 0xA003))):
        for tag, side in zip(tags, (width, height), strict=True):
            if tag in entries:
                _put(patched, tiff, entries, tag, side)
    return bytes(patched)


def _put(block: bytearray, tiff: Tiff, entries: Directory, tag: int, value: int) -> None:
    """Write an integer over another, as a LONG: the four bytes of an inline value hold either."""
    entry = entries[tag]
    if entry.count == 1 and entry.kind in (3, 4):
        block[entry.at - 8 : entry.at + 4] = struct.pack(tiff.order + "HHII", tag, 4, 1, value)


def profile_fits(icc: bytes, colours: int) -> bool:
    """Return whether a colour profile is valid, and is for images with this number of colours: 1 (grey) or 3.

    Source: ICC.1:2022, 7.2.6 and 7.2.9.
    """
    kind = icc[16:20]
    return icc[36:40] == b"acsp" and (kind == b"GRAY" if colours == 1 else kind not in (b"GRAY", b"CMYK"))


def from_page(tiff: Tiff, page: Directory) -> bytes | None:
    """Return the EXIF block that corresponds to a TIFF page: its descriptive tags, EXIF and GPS directories."""
    entries = {tag: page[tag] for tag in DESCRIPTIVE if tag in page}
    inner = tree(tiff, {tag: page[tag] for tag in (EXIF, GPS) if tag in page})
    if not entries and not inner:
        return None
    head = struct.pack(tiff.order + "2sHI", b"II" if tiff.order == "<" else b"MM", 42, 8)
    return head + joined(entries, inner, 8, tiff.order, False, 0)


def xmp_upright(xmp: bytes) -> bytes:
    """Return the packet with orientation 1."""
    return re.sub(rb'(tiff:Orientation(?:="|>)\s*)[1-8]', rb"\g<1>1", xmp)


def xmp_sized(xmp: bytes, width: int, height: int) -> bytes:
    """Return the packet with its size fields, if it has any, set to a new size."""
    for names, side in (
        (rb"tiff:ImageWidth|exif:PixelXDimension", width),
        (rb"tiff:ImageLength|exif:PixelYDimension", height),
    ):
        xmp = re.sub(rb'((?:%s)(?:="|>)\s*)\d+' % names, rb"\g<1>%d" % side, xmp)
    return xmp


def exif_with_dpi(across: float, down: float) -> bytes:
    """Return an EXIF block that holds only pixels per inch, for formats that have no other place for them."""
    start = 8 + 2 + 3 * 12 + 4
    entries = struct.pack("<HHII", 282, 5, 1, start) + struct.pack("<HHII", 283, 5, 1, start + 8)
    entries += struct.pack("<HHIHH", 296, 3, 1, 2, 0)
    numbers = [number for dots in (across, down) for number in (min(round(dots * 1000), 2**32 - 1), 1000)]
    return b"II*\0" + struct.pack("<IH", 8, 3) + entries + struct.pack("<I4I", 0, *numbers)


def iptc(resources: bytes) -> bytes:
    """Return the one of Photoshop's image resources that holds IPTC, whole; b"" if it is missing or damaged."""
    at = 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        start = at + 7 + resources[at + 6]  # behind the name, a byte of length before it
        start += start % 2 != at % 2
        size = int.from_bytes(resources[start : start + 4])
        end = start + 4 + size + size % 2
        if start + 4 + size > len(resources):
            return b""
        if resources[at + 4 : at + 6] == b"\x04\x04":
            return resources[at:end].ljust(end - at, b"\0")
        at = end
    return b""
