"""What ImageJ writes into TIFF files: its description, and a block of items of its own.

Source: ImageJ's ij/io/TiffEncoder.java and TiffDecoder.java (public domain). A description holds lines of `key=value`.
The size of a pixel is not among them: it is the inverse of the resolution, in the unit that the description names. The
tag `DATA` starts with a list of its items, each with a name of four letters; `COUNTS` holds their lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction

from hyperacuity.formats.photo.tiff_tags import Directory, Entry, Tiff, sized_integers

COUNTS, DATA = 50838, 50839

# Items that hold positions in pixels, which the enlarged image does not share.
_PLACED = {b"roi ": "ImageJ's regions (ROI)", b"over": "ImageJ's overlay", b"plot": "ImageJ's plot"}
_MAGIC = b"IJIJ"


def accepts(description: bytes) -> bool:
    """Return whether a description is one of ImageJ's."""
    return description.startswith(b"ImageJ=")


def value(description: bytes, key: bytes) -> bytes:
    """Return the value of a line of the description, b"" if it is missing."""
    for line in description.rstrip(b"\0").splitlines():
        name, _, found = line.partition(b"=")
        if name == key:
            return found
    return b""


def has_unit(description: bytes) -> bool:
    """Return whether the description names a unit other than pixels."""
    return value(description, b"unit").lower() not in (b"", b"pixel", b"pixels")


def enlarged(description: bytes, scale: tuple[Fraction, Fraction]) -> bytes:
    """Return the description of the enlarged image: the origin of its coordinates is counted in pixels."""
    times = {b"xorigin": scale[0], b"yorigin": scale[1]}
    lines = []
    for line in description.rstrip(b"\0").split(b"\n"):
        name, _, old = line.partition(b"=")
        changed = line
        if name in times:
            try:
                changed = b"%s=%s" % (name, str(float(old) * float(times[name])).encode())
            except ValueError:  # not a number
                changed = line
        lines.append(changed)
    return b"\n".join(lines)


def lost(tiff: Tiff, page: Directory) -> list[str]:
    """Return the names of the items that the enlarged image does not keep."""
    found = {_PLACED[name]: None for name, _ in _items(tiff, page) if name in _PLACED}
    return list(found)


def kept(tiff: Tiff, page: Directory) -> Directory:
    """Return both tags with the items that the enlarged image keeps; {} if there are none."""
    items = [(name, data) for name, data in _items(tiff, page) if name not in _PLACED]
    if not items:
        return {}
    names = list(dict.fromkeys(name for name, _ in items))
    head = _letters(_MAGIC, tiff.order)
    for name in names:
        count = sum(other == name for other, _ in items)
        head += _letters(name, tiff.order) + struct.pack(tiff.order + "I", count)
    ordered = [data for name in names for other, data in items if other == name]
    block = head + b"".join(ordered)
    counts = [len(head), *map(len, ordered)]
    return {COUNTS: sized_integers(tiff.order, counts, big=False), DATA: Entry(1, len(block), block, 0)}


def _items(tiff: Tiff, page: Directory) -> Iterator[tuple[bytes, bytes]]:
    """The name and the bytes of each item."""
    counts = tiff.integers(page, COUNTS)
    data = page[DATA].raw if DATA in page else b""
    if not counts or not data.startswith(_letters(_MAGIC, tiff.order)):
        return
    at, sizes = counts[0], iter(counts[1:])
    for start in range(4, counts[0] - 7, 8):
        (number,) = struct.unpack_from(tiff.order + "I", data.ljust(start + 8, b"\0"), start + 4)
        for _, size in zip(range(number), sizes, strict=False):
            yield _letters(data[start : start + 4], tiff.order), data[at : at + size]
            at += size


def _letters(name: bytes, order: str) -> bytes:
    """Four letters, which are stored as an integer."""
    return name if order == ">" else name[::-1]
