"""EXIF: the orientation, sizes and places in it, and how to update them. ICC profiles.

EXIF is patched in place: makers' notes hold offsets, which stay valid only if nothing moves.
"""

from __future__ import annotations

import struct

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.exif_numbers import exchange, numbers_of, overwrite
from hyperacuity.formats.photo.geometry import NO_TURN, Turn
from hyperacuity.formats.photo.tiff_tags import EXIF, GPS, INTEROP, Directory, Tiff, joined, tree

MISFIT = "the ICC profile is damaged or not for such pixels (grey or colour) and is left out"

_ORIENTATION = 274
# Pixels per unit of the sensor, across and down; place and area of the main subject.
_FOCAL_PLANE = (41486, 41487)
_SUBJECTS = (37396, 41492)
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


def orientation(exif: bytes) -> int | None:
    """Return the orientation, 1 to 8; None if the block does not state it.

    Raises:
        DamagedFile: If the block is damaged.
    """
    tiff = Tiff(exif)
    entries, _, _ = tiff.directory(tiff.first)
    if _ORIENTATION not in entries:
        return None
    found = tiff.integer(entries, _ORIENTATION, 1)
    return found if 1 <= found <= 8 else 1


def dpi(exif: bytes) -> tuple[float, float] | None:
    """Return pixels per inch, across and down; None if they are missing or the block is damaged."""
    try:
        tiff = Tiff(exif)
        return tiff.dpi(tiff.directory(tiff.first)[0])
    except DamagedFile:
        return None


def upright(exif: bytes, turn: Turn = NO_TURN) -> bytes:
    """Return the block with orientation 1, with what it measures in the image turned, and without its thumbnail.

    Args:
        exif: The block.
        turn: How the image is turned.

    Raises:
        DamagedFile: If the block is damaged.
    """
    tiff = Tiff(exif)
    entries, following, next_at = tiff.directory(tiff.first)
    patched = bytearray(exif)
    if _ORIENTATION in entries:
        _put(patched, tiff, entries, _ORIENTATION, 1)
    inner = tree(tiff, entries).get(EXIF, {}) if EXIF in entries else {}
    for tag in _SUBJECTS:
        area = [float(number) for number in numbers_of(tiff, inner, tag)]
        if len(area) >= 2:
            overwrite(patched, tiff, inner[tag], turn.subject(area))
    if turn.swaps:
        exchange(patched, tiff, entries, 282, 283)
        exchange(patched, tiff, inner, *_FOCAL_PLANE)
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


def sized(exif: bytes, width: int, height: int, scale: tuple[float, float] = (1, 1)) -> bytes:
    """Return the block with its sizes, and with what it measures in pixels multiplied by the scale.

    Args:
        exif: The block of an upright image.
        width: The new width.
        height: The new height.
        scale: New size divided by old size, across and down.

    Raises:
        DamagedFile: If the block is damaged.
    """
    tiff = Tiff(exif)
    patched = bytearray(exif)
    main, _, _ = tiff.directory(tiff.first)
    directories = tree(tiff, main)
    inner, interop = directories.get(EXIF, {}), directories.get(INTEROP, {})
    for entries, tags in ((main, (256, 257)), (inner, (0xA002, 0xA003)), (interop, (0x1001, 0x1002))):
        for tag, side in zip(tags, (width, height), strict=True):
            if tag in entries:
                _put(patched, tiff, entries, tag, side)
    if scale == (1, 1):
        return bytes(patched)
    for tag, factor in zip(_FOCAL_PLANE, scale, strict=True):
        if tag in inner:
            overwrite(patched, tiff, inner[tag], [number * factor for number in numbers_of(tiff, inner, tag)])
    for tag in _SUBJECTS:
        scaled = [number * factor for number, factor in zip(numbers_of(tiff, inner, tag), scale * 2, strict=False)]
        if scaled:
            overwrite(patched, tiff, inner[tag], scaled)
    return bytes(patched)


def _put(block: bytearray, tiff: Tiff, entries: Directory, tag: int, value: int) -> None:
    """Write an integer over another, as a LONG if it is too great for a SHORT: four bytes hold either."""
    entry = entries[tag]
    if entry.count == 1 and entry.kind in (3, 4):
        short = entry.kind == 3 and value <= 0xFFFF
        stored = struct.pack(tiff.order + ("H2x" if short else "I"), value)
        block[entry.at - 8 : entry.at + 4] = struct.pack(tiff.order + "HHI", tag, 3 if short else 4, 1) + stored


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


def exif_with_dpi(across: float, down: float) -> bytes:
    """Return an EXIF block that holds only pixels per inch, for formats that have no other place for them."""
    start = 8 + 2 + 3 * 12 + 4
    entries = struct.pack("<HHII", 282, 5, 1, start) + struct.pack("<HHII", 283, 5, 1, start + 8)
    entries += struct.pack("<HHIHH", 296, 3, 1, 2, 0)
    numbers = [number for dots in (across, down) for number in (min(round(dots * 1000), 2**32 - 1), 1000)]
    return b"II*\0" + struct.pack("<IH", 8, 3) + entries + struct.pack("<I4I", 0, *numbers)
