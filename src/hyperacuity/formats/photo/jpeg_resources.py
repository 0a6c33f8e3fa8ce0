"""Photoshop's image resources in a JPEG file (APP13): IPTC, those that are kept, and those that are named."""

from __future__ import annotations

from dataclasses import dataclass, field

from hyperacuity.formats.photo import photoshop
from hyperacuity.formats.photo.jpeg_segments import packed_series
from hyperacuity.image import Item

PREFIX = b"Photoshop 3.0\0"
_APP13 = 0xED
_IPTC, _GUIDES = 0x0404, 0x0408
_PATHS = range(0x07D0, 0x0BB7)
# Resources about the encoding, copies of what other segments hold, and the state of layers, which no JPEG has.
_STRUCTURE = (0x0406, 0x040F, 0x0422, 0x0423, 0x0424, 0x0400, 0x0402, 0x0429, 0x042D, 0x0430)
# Copies of the image before it was enlarged.
_THUMBNAILS = (0x0409, 0x040C)


@dataclass
class FoundResources:
    """IPTC's records, the segments with the resources that are kept, and an item for each resource."""

    iptc: bytes | None = None
    segments: bytes = b""
    items: list[Item] = field(default_factory=list)


def found_in(block: bytes, *, turned: bool) -> FoundResources:
    """Read the resources of an image.

    Args:
        block: The resources, without the prefix of their segments.
        turned: Whether the image is turned when it is read, so that places in it change.
    """
    found = FoundResources()
    kept = b""
    for each in photoshop.resources(block):
        key = f"APP13 resource 0x{each.number:04X}"
        if each.number == _IPTC and found.iptc not in (None, each.data):
            found.items.append(Item(f"{key} again", "second IPTC"))
        elif each.number == _IPTC:
            found.iptc = each.data
            found.items.append(Item(key, "IPTC", "iptc"))
        elif each.number in _THUMBNAILS:
            found.items.append(Item(f"thumbnail {key}", "thumbnail"))
        elif each.number in _STRUCTURE or photoshop.is_default(each):
            found.items.append(Item(f"structure {key}", "Photoshop's settings"))
        elif label := _lost(each, turned):
            found.items.append(Item(key, label))
        else:
            kept += each.packed()
            found.items.append(Item(key, "Photoshop's resources", "native"))
    found.segments = packed_series(_APP13, PREFIX, kept) if kept else b""
    return found


def packed_iptc(records: bytes) -> bytes:
    """Return the segments that hold IPTC."""
    return packed_series(_APP13, PREFIX, photoshop.Resource(_IPTC, b"\0\0", records).packed())


def _lost(resource: photoshop.Resource, turned: bool) -> str:
    """The label of a resource that does not hold for the larger image; "" if it does."""
    if resource.number == _GUIDES:
        return "Photoshop's guides"
    if resource.number in _PATHS:
        return "Photoshop's paths" if turned else ""
    _, lost = photoshop.kept(resource.packed())
    return lost[0] if lost else ""
