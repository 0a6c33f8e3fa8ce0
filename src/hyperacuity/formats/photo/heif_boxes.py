"""The boxes of a HEIF file, the container of AVIF and HEIC: its items, their properties, and how they refer to others.

ISO/IEC 23008-12 (HEIF) and 14496-12 (the base format).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.boxes import Box, boxes
from hyperacuity.formats.content import Bytes

# Containers with this many items or properties are taken for an attack.
_MOST = 100_000


@dataclass
class HeifItem:
    """One item: an image, EXIF, XMP.

    Args:
        number: Its identifier.
        kind: Its type, such as b"av01", b"grid", b"Exif" or b"mime".
        content_type: The type of a "mime" item.
        extents: Offset and length of each part of its data.
        inside: Whether offsets count within the `idat` box.
        properties: Kind and content of each of its properties.
    """

    number: int
    kind: bytes
    content_type: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)
    inside: bool = False
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass
class Heif:
    """The structure of a HEIF file."""

    items: dict[int, HeifItem] = field(default_factory=dict)
    primary: int = 0
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    inner: bytes = b""  # the content of `idat`
    groups: list[bytes] = field(default_factory=list)  # kinds in `grpl`
    others: list[bytes] = field(default_factory=list)  # kinds of boxes that are neither known nor empty

    def bytes_of(self, item: HeifItem, data: Bytes) -> bytes:
        """Return the data of an item."""
        source = self.inner if item.inside else data
        return b"".join(bytes(source[at : at + size] if size else source[at:]) for at, size in item.extents)

    def properties(self, kind: bytes) -> list[bytes]:
        """Return the properties of one kind that the main image has."""
        item = self.items.get(self.primary)
        return [content for each, content in (item.properties if item else []) if each == kind]

    def referring(self, kind: bytes, to: int) -> list[int]:
        """Return the items that refer to an item in this way."""
        return [source for each, source, targets in self.references if each == kind and to in targets]

    def targets(self, kind: bytes, source: int) -> list[int]:
        """Return the items that an item refers to in this way."""
        return [
            number for each, start, numbers in self.references if each == kind and start == source for number in numbers
        ]


_KNOWN = frozenset({b"ftyp", b"mdat", b"meta", b"free", b"skip", b"wide", b"moov", b"moof", b"mfra", b"styp", b"sidx"})


def parse_heif(data: Bytes) -> Heif:
    """Return the structure of a HEIF file.

    Raises:
        DamagedFile: If it is damaged.
    """
    heif = Heif()
    try:
        for box in boxes(data):
            if box.kind == b"meta":
                _meta(heif, data, box)
            elif box.kind not in _KNOWN:
                heif.others.append(box.kind)
    except (struct.error, IndexError) as error:
        raise DamagedFile("its boxes are cut short") from error
    return heif


def _meta(heif: Heif, data: Bytes, meta: Box) -> None:
    inner = {box.kind: box for box in boxes(data, meta.start + 4, meta.end)}
    readers = {b"pitm": _primary, b"iinf": _items, b"iloc": _places, b"iref": _references, b"iprp": _properties}
    for kind in (b"iinf", b"pitm", b"iloc", b"iref", b"iprp"):
        if kind in inner:
            readers[kind](heif, bytes(data[inner[kind].start : inner[kind].end]))
    if b"idat" in inner:
        heif.inner = bytes(data[inner[b"idat"].start : inner[b"idat"].end])
    if b"grpl" in inner:
        heif.groups = [box.kind for box in boxes(data, inner[b"grpl"].start, inner[b"grpl"].end)]
    known = {*readers, b"hdlr", b"idat", b"grpl", b"dinf", b"free"}
    heif.others += [kind for kind in inner if kind not in known]


def _primary(heif: Heif, content: bytes) -> None:
    heif.primary = int.from_bytes(content[4:8] if content[0] else content[4:6])


def _items(heif: Heif, content: bytes) -> None:
    start = 6 if content[0] == 0 else 8
    for box in boxes(content, start):
        entry = content[box.start : box.end]
        version = entry[0]
        if box.kind != b"infe" or version < 2 or len(heif.items) > _MOST:
            continue
        wide = 4 if version == 3 else 2
        number = int.from_bytes(entry[4 : 4 + wide])
        at = 4 + wide + 2
        kind = entry[at : at + 4]
        _, _, rest = entry[at + 4 :].partition(b"\0")
        heif.items[number] = HeifItem(number, kind, rest.partition(b"\0")[0] if kind == b"mime" else b"")


def _places(heif: Heif, content: bytes) -> None:
    version = content[0]
    sizes = [content[4] >> 4, content[4] & 15, content[5] >> 4, content[5] & 15 if version else 0]
    at = 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(content):
            raise IndexError(at)
        return int.from_bytes(content[at - size : at])

    for _ in range(min(number(2 if version < 2 else 4), _MOST)):
        item = heif.items.get(number(2 if version < 2 else 4))
        method = number(2) & 15 if version else 0
        number(2)
        base = number(sizes[2])
        for _ in range(number(2)):
            number(sizes[3])
            start, length = base + number(sizes[0]), number(sizes[1])
            if item is not None:
                item.extents.append((start, length))
                item.inside = method == 1


def _references(heif: Heif, content: bytes) -> None:
    wide = 4 if content[0] else 2
    for box in boxes(content, 4):
        entry = content[box.start : box.end]
        (count,) = struct.unpack(">H", entry[wide : wide + 2])
        numbers = [int.from_bytes(entry[at : at + wide]) for at in range(wide + 2, wide + 2 + count * wide, wide)]
        heif.references.append((box.kind, int.from_bytes(entry[:wide]), numbers))


def _properties(heif: Heif, content: bytes) -> None:
    inner = list(boxes(content))
    defined: list[tuple[bytes, bytes]] = []
    for box in inner:
        if box.kind == b"ipco":
            defined = [(each.kind, content[each.start : each.end]) for each in boxes(content, box.start, box.end)]
    for box in inner:
        if box.kind == b"ipma":
            for item, index, _ in associations(content[box.start : box.end]):
                if item in heif.items and 0 < index <= len(defined):
                    heif.items[item].properties.append(defined[index - 1])


def associations(content: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield item, index of its property from 1 on, and whether it is essential, from an `ipma` box."""
    wide, large = (4 if content[0] else 2), content[3] & 1
    (count,) = struct.unpack(">I", content[4:8])
    at = 8
    for _ in range(min(count, _MOST)):
        item = int.from_bytes(content[at : at + wide])
        at += wide + 1
        for _ in range(content[at - 1]):
            value = int.from_bytes(content[at : at + 1 + large])
            top = 15 if large else 7
            yield item, value & ((1 << top) - 1), bool(value >> top)
            at += 1 + large
