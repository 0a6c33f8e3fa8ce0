"""EXIF: the orientation, sizes and places in it, and how to update them. ICC profiles.

EXIF is patched in place: makers' notes hold offsets, which stay valid only if nothing moves.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.geometry import NO_TURN, Turn
from hyperacuity.formats.photo.tiff_tags import EXIF, GPS, INTEROP, Directory, Entry, Tiff, joined, tree

MISFIT = "the ICC profile is damaged or not for such pixels (grey or colour) and is left out"

_ORIENTATION = 274
# Pixels per unit of the sensor, across and down; place and area of the main subject.
_FOCAL_PLANE = (41486, 41487)
_SUBJECTS = (37396, 41492)
# The greatest LONG.
_MOST = 0xFFFFFFFF
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
        area = tiff.integers(inner, tag)
        if len(area) >= 2:
            _overwrite(patched, tiff, inner[tag], turn.subject(area))
    if turn.swaps:
        _exchange(patched, entries, 282, 283)
        _exchange(patched, inner, *_FOCAL_PLANE)
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
        entry = inner.get(tag)
        if entry is not None and entry.kind == 5 and entry.count == 1:
            above, below = struct.unpack(tiff.order + "II", entry.raw)
            patched[entry.at : entry.at + 8] = struct.pack(tiff.order + "II", *_multiplied(above, below, factor))
    for tag in _SUBJECTS:
        factors = (scale[0], scale[1], scale[0], scale[1])
        scaled = [number * factor for number, factor in zip(tiff.integers(inner, tag), factors, strict=False)]
        if scaled:
            _overwrite(patched, tiff, inner[tag], scaled)
    return bytes(patched)


def _put(block: bytearray, tiff: Tiff, entries: Directory, tag: int, value: int) -> None:
    """Write an integer over another, as a LONG if it is too great for a SHORT: four bytes hold either."""
    entry = entries[tag]
    if entry.count == 1 and entry.kind in (3, 4):
        short = entry.kind == 3 and value <= 0xFFFF
        stored = struct.pack(tiff.order + ("H2x" if short else "I"), value)
        block[entry.at - 8 : entry.at + 4] = struct.pack(tiff.order + "HHI", tag, 3 if short else 4, 1) + stored


def _overwrite(block: bytearray, tiff: Tiff, entry: Entry, numbers: Sequence[float]) -> None:
    """Write integers over those of an entry, in its type; what the type cannot hold becomes its greatest value."""
    letter, most = ("H", 0xFFFF) if entry.kind == 3 else ("I", _MOST)
    if entry.kind in (3, 4) and entry.count == len(numbers):
        whole = [min(max(round(number), 0), most) for number in numbers]
        block[entry.at : entry.at + len(entry.raw)] = struct.pack(f"{tiff.order}{len(whole)}{letter}", *whole)


def _exchange(block: bytearray, entries: Directory, one: int, other: int) -> None:
    """Exchange the values of two entries of the same type."""
    first, second = entries.get(one), entries.get(other)
    if first and second and len(first.raw) == len(second.raw) and first.kind == second.kind:
        block[first.at : first.at + len(first.raw)] = second.raw
        block[second.at : second.at + len(second.raw)] = first.raw


def _multiplied(above: int, below: int, factor: float) -> tuple[int, int]:
    """A fraction times a factor, in 32 bits; its denominator stays if the product is whole."""
    if not above or not below:
        return above, below
    product = Fraction(above) * Fraction(factor).limit_denominator(1_000_000)
    if product.denominator == 1 and product <= _MOST:
        return int(product), below
    fraction = product / below
    fraction = fraction.limit_denominator(max(1, min(_MOST, int(_MOST / fraction))))
    return min(fraction.numerator, _MOST), fraction.denominator


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
