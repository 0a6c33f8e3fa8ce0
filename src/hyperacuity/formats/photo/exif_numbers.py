"""The numbers in an EXIF block, of whatever type: read, written over one another, exchanged. EXIF 2.32, 4.6.2.

Programs store some of them in other types than the standard names, such as a FocalPlaneXResolution as a float.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from fractions import Fraction

from hyperacuity.formats.photo.tiff_tags import Directory, Entry, Tiff

# The letters of `struct` for the types of numbers, and the range of the integers. Rationals are two integers.
_INTEGERS = {
    1: ("B", 0, 0xFF),
    3: ("H", 0, 0xFFFF),
    4: ("I", 0, 0xFFFFFFFF),
    6: ("b", -0x80, 0x7F),
    8: ("h", -0x8000, 0x7FFF),
    9: ("i", -0x80000000, 0x7FFFFFFF),
}
_FLOATS = {11: "f", 12: "d"}
_RATIONALS = {5: _INTEGERS[4], 10: _INTEGERS[9]}


def numbers_of(tiff: Tiff, entries: Directory, tag: int) -> list[Fraction]:
    """Return the numbers of an entry; [] if it is missing, is no numbers, or holds a fraction without a value."""
    entry = entries.get(tag)
    if entry is None:
        return []
    if entry.kind in _RATIONALS:
        pairs = _pairs(tiff, entry)
        return [Fraction(above, below) for above, below in pairs] if all(below for _, below in pairs) else []
    letter = _INTEGERS[entry.kind][0] if entry.kind in _INTEGERS else _FLOATS.get(entry.kind)
    values = struct.unpack(f"{tiff.order}{entry.count}{letter}", entry.raw) if letter else ()
    return [Fraction(value) for value in values] if all(math.isfinite(value) for value in values) else []


def overwrite(block: bytearray, tiff: Tiff, entry: Entry, numbers: Sequence[Fraction | float]) -> None:
    """Write numbers over those of an entry, in its type; what the type cannot hold becomes its nearest value.

    Args:
        block: The block, which is changed.
        tiff: The same, as it was.
        entry: The entry; it stays as it is if it holds another number of values.
        numbers: The new values.
    """
    if entry.count != len(numbers):
        return
    if entry.kind in _RATIONALS:
        letter, least, most = _RATIONALS[entry.kind]
        pairs = zip(numbers, _pairs(tiff, entry), strict=True)
        stored: list[float] = [part for number, (_, below) in pairs for part in _rational(number, below, least, most)]
    elif entry.kind in _INTEGERS:
        letter, least, most = _INTEGERS[entry.kind]
        stored = [min(max(math.floor(number + 0.5), least), most) for number in numbers]
    elif entry.kind in _FLOATS:
        letter, stored = _FLOATS[entry.kind], [float(number) for number in numbers]
    else:
        return
    block[entry.at : entry.at + len(entry.raw)] = struct.pack(f"{tiff.order}{len(stored)}{letter}", *stored)


def exchange(block: bytearray, tiff: Tiff, entries: Directory, one: int, other: int) -> None:
    """Exchange the values of two entries; each keeps its type."""
    first, second = entries.get(one), entries.get(other)
    if first is None or second is None:
        return
    if first.kind == second.kind and len(first.raw) == len(second.raw):
        block[first.at : first.at + len(first.raw)] = second.raw
        block[second.at : second.at + len(second.raw)] = first.raw
        return
    for entry, tag in ((first, other), (second, one)):
        overwrite(block, tiff, entry, numbers_of(tiff, entries, tag))


def _pairs(tiff: Tiff, entry: Entry) -> list[tuple[int, int]]:
    """Numerators and denominators."""
    words = struct.unpack(f"{tiff.order}{2 * entry.count}{_RATIONALS[entry.kind][0]}", entry.raw)
    return list(zip(words[::2], words[1::2], strict=True))


def _rational(number: Fraction | float, below: int, least: int, most: int) -> tuple[int, int]:
    """A number as a numerator and a denominator within a range; the old denominator stays if it fits."""
    fraction = Fraction(number).limit_denominator(1_000_000 * max(abs(below), 1))
    above = fraction * below
    if above.denominator == 1 and least <= above <= most and below:
        return int(above), below
    largest = int(most / abs(fraction)) if fraction else most
    fraction = fraction.limit_denominator(max(1, min(most, largest)))
    return min(max(fraction.numerator, least), most), fraction.denominator
