"""The structure that TIFF files and EXIF blocks share: directories of tagged values, without any pixels.

TIFF 6.0 (1992), BigTIFF (AWare), EXIF 2.32 (CIPA DC-008).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from hyperacuity.errors import DamagedFile

EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
# Tags whose value is the offset of another directory.
DIRECTORIES = (EXIF, GPS, INTEROP)

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
# The values of all directories together, as a multiple of the file's size; more means a file made to fill the memory.
_COPIES = 16
# Rationals are pairs of 4 bytes.
_WORDS = {5: 4, 10: 4}


@dataclass(frozen=True)
class Entry:
    """One value; `raw` is as stored, in the structure's byte order, and starts at byte `at`."""

    kind: int
    count: int
    raw: bytes
    at: int

    def swapped(self) -> Entry:
        """Return the same value in the other byte order."""
        word = _WORDS.get(self.kind, _SIZES[self.kind])
        raw = b"".join(self.raw[i : i + word][::-1] for i in range(0, len(self.raw), word))
        return Entry(self.kind, self.count, raw, self.at)


Directory = dict[int, Entry]


class Tiff:
    """A TIFF structure in memory. Every method raises `DamagedFile` if an offset lies beyond the data."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = memoryview(data)
        head = bytes(self.data[:8])
        if head[:4] in (b"II*\0", b"MM\0*"):
            self.big = False
        elif head[:4] in (b"II+\0", b"MM\0+"):
            self.big = True
        else:
            raise DamagedFile("it does not start as a TIFF structure does")
        self.order = "<" if head[:2] == b"II" else ">"
        self._pointer = "Q" if self.big else "I"
        self._copied = 0  # bytes of values
        self.first_at = 8 if self.big else 4
        self.first: int = self._number(self._pointer, self.first_at)

    def _number(self, letter: str, at: int) -> int:
        try:
            (number,) = struct.unpack_from(self.order + letter, self.data, at)
        except (struct.error, OverflowError) as error:
            raise DamagedFile(f"it ends before byte {at}, which its directory points to") from error
        return int(number)

    def directory(self, offset: int) -> tuple[Directory, int, int]:
        """Return the directory at `offset`, the offset of the next one (0 = none), and where that is stored."""
        count_letter, field, head = ("Q", 8, 8) if self.big else ("H", 4, 2)
        count = self._number(count_letter, offset)
        entry = 4 + 2 * field
        end = offset + head + count * entry
        if end > len(self.data):
            raise DamagedFile(f"its directory at byte {offset} is longer than the file")
        entries: Directory = {}
        for at in range(offset + head, end, entry):
            tag, kind = self._number("H", at), self._number("H", at + 2)
            number = self._number(self._pointer, at + 4)
            if kind not in _SIZES:
                continue
            size = number * _SIZES[kind]
            place = at + 4 + field if size <= field else self._number(self._pointer, at + 4 + field)
            if place + size > len(self.data):
                raise DamagedFile(f"the value of tag {tag} lies beyond its end")
            self._copied += size
            if self._copied > _COPIES * len(self.data):
                raise DamagedFile("its directories refer to the same bytes too many times")
            entries.setdefault(tag, Entry(kind, number, bytes(self.data[place : place + size]), place))
        following = self._number(self._pointer, end) if end + field <= len(self.data) else 0
        return entries, following, end

    def directories(self) -> list[Directory]:
        """Return all directories of the main chain, in order."""
        found: list[Directory] = []
        offset, seen = self.first, set[int]()
        while offset and offset not in seen:
            seen.add(offset)
            entries, offset, _ = self.directory(offset)
            found.append(entries)
        return found

    def integers(self, entries: Directory, tag: int) -> tuple[int, ...]:
        """Return the integers of a tag; () if it is missing or holds anything else."""
        entry = entries.get(tag)
        if entry is None or entry.kind not in _LETTERS:
            return ()
        return struct.unpack(f"{self.order}{entry.count}{_LETTERS[entry.kind]}", entry.raw)

    def integer(self, entries: Directory, tag: int, default: int) -> int:
        """Return the first integer of a tag, or `default`."""
        return (self.integers(entries, tag) or (default,))[0]

    def dpi(self, entries: Directory) -> tuple[float, float] | None:
        """Return the pixels per inch, across and down; None if they are missing or have no unit."""
        unit = self.integer(entries, 296, 2)
        found = []
        for tag in (282, 283):
            entry = entries.get(tag)
            if entry is None or entry.kind != 5 or entry.count != 1 or unit not in (2, 3):
                return None
            above, below = struct.unpack(self.order + "II", entry.raw)
            if not above or not below:
                return None
            found.append(above / below * (2.54 if unit == 3 else 1))
        return found[0], found[1]


def number(order: str, value: int) -> Entry:
    """Return a LONG, to put into a directory."""
    return sized_integers(order, [value], big=False)


def sized_integers(order: str, values: Sequence[int], big: bool) -> Entry:
    """Return integers of 4 bytes, or of 8 if the file is `big`, to put into a directory."""
    kind, letter = (16, "Q") if big else (4, "I")
    return Entry(kind, len(values), struct.pack(f"{order}{len(values)}{letter}", *values), 0)


def text(value: bytes) -> Entry:
    """Return an ASCII value, to put into a directory."""
    return Entry(2, len(value) + 1, value + b"\0", 0)


def packed(entries: Directory, start: int, order: str, big: bool = False, following: int = 0) -> bytes:
    """Return a directory as bytes that will start at byte `start`, with its longer values behind it."""
    letter, field = ("Q", 8) if big else ("I", 4)
    behind = start + (8 if big else 2) + len(entries) * (4 + 2 * field) + field
    rows, values = b"", b""
    for tag in sorted(entries):
        entry = entries[tag]
        rows += struct.pack(f"{order}HH{letter}", tag, entry.kind, entry.count)
        if len(entry.raw) <= field:
            rows += entry.raw.ljust(field, b"\0")
        else:
            rows += struct.pack(order + letter, behind + len(values))
            values += entry.raw + b"\0" * (len(entry.raw) % 2)
    return (
        struct.pack(order + ("Q" if big else "H"), len(entries))
        + rows
        + struct.pack(order + letter, following)
        + values
    )


def tree(tiff: Tiff, entries: Directory) -> dict[int, Directory]:
    """Return the directories that EXIF's tags in `entries` point to, by tag, with those inside them."""
    found: dict[int, Directory] = {}
    for tag in DIRECTORIES:
        if tag in entries:
            inner, _, _ = tiff.directory(tiff.integer(entries, tag, 0))
            found[tag] = inner
            if tag == EXIF:
                found |= tree(tiff, {t: e for t, e in inner.items() if t == INTEROP})
    return found


def joined(entries: Directory, inner: dict[int, Directory], start: int, order: str, big: bool, following: int) -> bytes:
    """Return `entries` and the directories under its tags as bytes that will start at `start`, an even offset."""
    inner = dict(inner)
    body = b""
    # The main directory goes first and its size does not depend on where the others end up.
    placed = entries | {tag: number(order, 0) for tag in (EXIF, GPS) if tag in inner}
    size = len(packed(placed, start, order, big))
    for tag in (INTEROP, EXIF, GPS):
        if tag not in inner:
            continue
        here = start + size + len(body)
        body += packed(inner[tag], here, order, big)
        owner = inner.get(EXIF, {}) if tag == INTEROP else placed
        owner[tag] = number(order, here)
    return packed(placed, start, order, big, following) + body
