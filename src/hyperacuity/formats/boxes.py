"""Boxes, of which HEIF, JPEG 2000, JPEG XL and MP4 are made. ISO/IEC 14496-12, section 4.2."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes


@dataclass(frozen=True)
class Box:
    """One box: its kind, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def boxes(data: Bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes in a range of bytes; the last one ends with the range if it is cut short.

    Raises:
        DamagedFile: If a box is shorter than its own header.
    """
    at, end = start, len(data) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        head = 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack(">Q", data[at + 8 : at + 16])
            head = 16
        elif size == 0:
            size = end - at
        if kind == b"uuid":
            kind, head = b"uuid" + bytes(data[at + head : at + head + 16]), head + 16
        if size < head:
            raise DamagedFile(f"a box at byte {at} is shorter than its header")
        yield Box(kind, at + head, min(at + size, end))
        at += size
