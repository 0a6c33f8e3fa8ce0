"""Photoshop's image resources, the block that TIFF and JPEG files hold: which of them an enlarged image keeps.

Source: Adobe Photoshop File Formats Specification (2019), "Image Resources Section".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_GUIDES, _SLICES = 1032, 1050
# What would be outdated and is written anew wherever it is needed: previews, EXIF, XMP and the ICC profile.
_COPIES = frozenset({1033, 1036, 1039, 1058, 1059, 1060})
# What belongs to layers, which are left out as a whole, or to places in pixels, by its name.
_LOST = {
    **dict.fromkeys((1024, 1026, 1065, 1069, 1072), "Photoshop's layers"),
    1050: "Photoshop's slices",
    1070: "Photoshop's counts",
    1080: "Photoshop's counts",
    1073: "Photoshop's colour samplers",
    1038: "Photoshop's colour samplers",
    **dict.fromkeys((1074, 1075, 1076, 1077, 1078), "Photoshop's timeline"),
}


@dataclass(frozen=True)
class Resource:
    """One resource: its number, its name with its length as stored, and its content."""

    number: int
    name: bytes
    data: bytes

    def packed(self) -> bytes:
        """Return the resource as stored."""
        return (
            b"8BIM"
            + struct.pack(">H", self.number)
            + self.name
            + struct.pack(">I", len(self.data))
            + self.data
            + b"\0" * (len(self.data) % 2)
        )


def resources(block: bytes) -> Iterator[Resource]:
    """Yield the resources of a block, up to the first that is damaged."""
    at = 0
    while block[at : at + 4] in (b"8BIM", b"8B64", b"MeSa", b"AgHg", b"PHUT", b"DCSR") and at + 12 <= len(block):
        name_size = 1 + block[at + 6]
        start = at + 6 + name_size + name_size % 2
        size = int.from_bytes(block[start : start + 4])
        if start + 4 + size > len(block):
            return
        yield Resource(
            int.from_bytes(block[at + 4 : at + 6]), block[at + 6 : start], block[start + 4 : start + 4 + size]
        )
        at = start + 4 + size + size % 2


def is_default(resource: Resource) -> bool:
    """Return whether a resource says nothing: no guides, or the one slice that Photoshop makes of any image."""
    if resource.number == _GUIDES and len(resource.data) >= 16:
        return resource.data[12:16] == b"\0\0\0\0"
    if resource.number == _SLICES and resource.data[:4] == b"\0\0\0\6" and len(resource.data) >= 24:
        name_end = 24 + 2 * int(struct.unpack_from(">I", resource.data, 20)[0])
        return resource.data[name_end : name_end + 4] == b"\0\0\0\1"
    # From Photoshop 7 on, a descriptor, which names each slice after its text.
    return resource.number == _SLICES and resource.data.count(b"sliceID") <= 1


def kept(block: bytes) -> tuple[bytes, list[str]]:
    """Return the block with the resources that stay true, and the names of those that a user would miss."""
    lost: dict[str, None] = {}
    found = b""
    for resource in resources(block):
        if resource.number in _LOST:
            lost[_LOST[resource.number]] = None
        elif resource.number not in _COPIES:
            found += resource.packed()
    if not found and not lost and not block.startswith(b"8BIM"):
        lost["Photoshop's resources, which are damaged"] = None
    return found, list(lost)


def enlarged(block: bytes, scale: tuple[Fraction, Fraction]) -> bytes:
    """Return the block of the enlarged image: guides are counted in pixels, paths in parts of the image."""
    found = b""
    for resource in resources(block):
        data = resource.data
        if resource.number == _GUIDES and len(data) >= 16:
            (count,) = struct.unpack_from(">I", data, 12)
            moved = data[:16]
            for place, direction in struct.iter_unpack(">IB", data[16 : 16 + (len(data) - 16) // 5 * 5]):
                # Vertical guides, of direction 0, have a place across.
                new = min(round(place * scale[direction & 1]), 2**32 - 1)
                moved += struct.pack(">IB", new, direction)
            data = moved if count * 5 == len(moved) - 16 else data
        found += Resource(resource.number, resource.name, data).packed()
    return found
