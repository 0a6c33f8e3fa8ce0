"""Image resources of Photoshop, which JPEG holds in APP13 and TIFF in a tag: IPTC, and much else.

Adobe Photoshop File Formats Specification, "Image Resources Section".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction

PREFIX = b"Photoshop 3.0\0"
IPTC = 0x0404

_GUIDES = 0x0408

# Resources that show the small image, or that state how its file was encoded.
_THUMBNAILS, _STRUCTURE = (0x0409, 0x040C), (0x0406,)
# Resources that hold for an image of any size: resolution, print settings, copyright, URLs, angles, digest of IPTC.
_LASTING = frozenset(
    {0x03ED, 0x03F3, 0x03F5, 0x03F8, 0x040A, 0x040B, 0x040D, 0x0411, 0x0414, 0x0419, 0x041E, 0x0421, 0x0425, 0x0426}
    | {0x0428, 0x043A, 0x043B, 0x2710}
)
_NAMES = {
    0x0408: "grid and guides",
    0x041A: "slices",
    0x0422: "EXIF",
    0x0423: "EXIF",
    0x0424: "XMP",
    0x0429: "layer comps",
}


def resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, content and all bytes of each resource; a damaged one ends the list."""
    at = 0
    while at + 12 <= len(data) and data[at : at + 4] in (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
        start = at + 7 + data[at + 6]  # behind the name, a byte of length before it
        start += start % 2 != at % 2
        size = int.from_bytes(data[start : start + 4])
        end = start + 4 + size
        if end > len(data):
            return
        whole = data[at : end + size % 2]
        yield int.from_bytes(data[at + 4 : at + 6]), data[start + 4 : end], whole.ljust(end + size % 2 - at, b"\0")
        at = end + size % 2


def resource(number: int, content: bytes) -> bytes:
    """Return a resource without a name."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + b"\0" * (len(content) % 2)


def holds_for_any_size(number: int) -> bool:
    """Return whether a resource stays true for a larger copy of the image."""
    return number in _LASTING


def key(number: int) -> str:
    """Return the key of a resource in an inventory."""
    kind = "thumbnail " if number in _THUMBNAILS else "structure " if number in _STRUCTURE else ""
    return f"{kind}Photoshop resource 0x{number:04X}"


def label(number: int) -> str:
    """Return the name of a resource in messages."""
    if 0x07D0 <= number <= 0x0BB7:
        return "Photoshop paths"
    return f"Photoshop {_NAMES[number]}" if number in _NAMES else f"Photoshop resource 0x{number:04X}"


def holds_if_enlarged(number: int) -> bool:
    """Return whether `enlarged` keeps a resource true unless the image is turned: paths, which are relative; guides."""
    return 0x07D0 <= number <= 0x0BB7 or number == _GUIDES


def enlarged(block: bytes, scale: tuple[Fraction, Fraction]) -> bytes:
    """Return resources for the enlarged image, whose guides are counted in pixels.

    Args:
        block: Resources, one after another.
        scale: How much wider and higher the image is.
    """
    return b"".join(
        resource(number, _moved(content, scale)) if number == _GUIDES else whole
        for number, content, whole in resources(block)
    )


def _moved(guides: bytes, scale: tuple[Fraction, Fraction]) -> bytes:
    """Guides at their new places; those of direction 0 stand upright and have a place across."""
    moved = guides[:16]
    for place, direction in struct.iter_unpack(">IB", guides[16 : 16 + max(0, len(guides) - 16) // 5 * 5]):
        moved += struct.pack(">IB", min(round(place * scale[direction & 1]), 2**32 - 1), direction)
    return moved if len(moved) == len(guides) else guides
