"""What lies behind the image in a JPEG file: other images (MPF), a motion photo's video, Samsung's blocks, archives.

CIPA DC-007 (Multi-Picture Format); Google's Ultra HDR 1.1 and Motion Photo 1.0.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo.jpeg_segments import Segment, structure
from hyperacuity.formats.photo.tiff_tags import Tiff
from hyperacuity.image import Item

MPF = b"MPF\0"
_ENTRIES = 0xB002
_PRIMARY, _LARGE_THUMBNAILS = 0x030000, range(0x010001, 0x010010)
_NAMES = {0x020001: "panorama", 0x020002: "stereo image", 0x020003: "multi-angle image", 0x040000: "original image"}
_SECOND = "second image"
_SOMETHING = re.compile(rb"[^\0\xff\s]", re.DOTALL)
# How the parts begin that stay true, whatever the size of the image.
_ARCHIVES = {b"PK\3\4": "ZIP archive", b"7z\xbc\xaf": "7-Zip archive", b"Rar!": "RAR archive"}


@dataclass(frozen=True)
class Part:
    """One part behind the image: its bytes in the file, and whether it is an image (or else stays as it is)."""

    start: int
    end: int
    item: Item
    is_image: bool = False


def parts(raw: Bytes, end: int, index: Segment | None) -> list[Part]:
    """List what lies behind the image, in its order.

    Args:
        raw: The file.
        end: Where the image ends.
        index: The segment that lists the images of the file (MPF), if there is one.
    """
    listed = dict(_listed(index)) if index else {}
    found: list[Part] = []
    images = 1
    blocks = _samsung(raw)
    last = blocks.start if blocks else len(raw)
    at = end
    while (something := _SOMETHING.search(raw, at)) or at < last:
        starts = [place for place in (*listed, raw.find(b"\xff\xd8\xff", at)) if at <= place < last]
        at = max(at, min([*starts, _content_start(raw, at, something) if something else last, last]))
        if at >= last:
            break
        part = _part(raw, at, last, min([place for place in starts if place > at], default=last), listed.get(at))
        if part.is_image:
            images += 1
            part = replace(part, item=_numbered(part.item, images))
        found.append(part)
        at = part.end
    return [*found, blocks] if blocks else found


def packed_index(lengths: list[int], offsets: list[int]) -> bytes:
    """Return the content of an MPF segment for images of these lengths.

    Args:
        lengths: The length of each image in bytes.
        offsets: Where each starts, from the byte order mark of this segment on; 0 for the first.
    """
    rows = b""
    for number, (length, offset) in enumerate(zip(lengths, offsets, strict=True)):
        rows += struct.pack(">IIIHH", 0 if number else _PRIMARY, length, offset, 0, 0)
    head = MPF + b"MM\0*" + struct.pack(">IH", 8, 3)
    head += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, len(lengths))
    return head + struct.pack(">HHII", _ENTRIES, 7, len(rows), 50) + struct.pack(">I", 0) + rows


def _listed(index: Segment) -> Iterator[tuple[int, int]]:
    """Start and type of each further image that MPF lists."""
    try:
        tiff = Tiff(index.data[len(MPF) :])
        entries, _, _ = tiff.directory(tiff.first)
    except DamagedFile:
        return
    if _ENTRIES not in entries:
        return
    rows = entries[_ENTRIES].raw
    for at in range(0, len(rows) - 15, 16):
        attributes, _, offset = struct.unpack_from(tiff.order + "III", rows, at)
        if offset:
            yield index.at + len(MPF) + offset, attributes & 0xFFFFFF


def _content_start(raw: Bytes, at: int, something: re.Match[bytes]) -> int:
    """Where the content behind zeros starts; a video starts with zeros itself, the first bytes of a length."""
    name = raw.find(b"ftyp", at, something.start() + 8)
    return name - 4 if name >= at + 4 else something.start()


def _part(raw: Bytes, at: int, last: int, following: int, kind: int | None) -> Part:
    """The part that starts at a byte; an unknown one reaches to the next one that is known."""
    head = bytes(raw[at : at + 12])
    if head.startswith(b"\xff\xd8\xff"):
        end = min(structure(raw, at).end, last)
        if kind in _LARGE_THUMBNAILS:
            return Part(at, end, Item("thumbnail MPF", "preview"), True)
        return Part(at, end, Item("image behind the main one", _NAMES.get(kind or 0, _SECOND)), True)
    if head[4:8] == b"ftyp":
        return Part(at, last, Item("video behind the image", "video of the motion photo", "trailer"))
    for mark, label in _ARCHIVES.items():
        if head.startswith(mark):
            return Part(at, last, Item("archive behind the image", label, "trailer"))
    return Part(at, following, Item(f"trailer {head[:4]!r}", f"{following - at} unknown bytes behind the image"))


def _numbered(item: Item, number: int) -> Item:
    """The item of an image with the number of the image in its key, and in its label from the third image on."""
    if number == 2 or item.key.startswith("thumbnail"):
        return item
    kind = "" if item.label == _SECOND else f" ({item.label})"
    return Item(f"{item.key} {number}", f"image {number} of the file{kind}")


def _samsung(raw: Bytes) -> Part | None:
    """The blocks that Samsung's cameras append, from the first one to the end of the file, where they are listed."""
    size = len(raw)
    if size < 20 or raw[size - 4 :] != b"SEFT":
        return None
    table = size - 8 - int(struct.unpack("<I", raw[size - 8 : size - 4])[0])
    if table < 0 or raw[table : table + 4] != b"SEFH":
        return None
    (count,) = struct.unpack("<I", raw[table + 8 : table + 12])
    start, names = table, []
    for at in range(table + 12, min(table + 12 + 12 * count, size - 8), 12):
        offset, length = struct.unpack("<II", raw[at + 4 : at + 12])
        place = table - offset
        if not 0 <= place <= table - 8 or place + length > table:
            return None
        start = min(start, place)
        (name_length,) = struct.unpack("<I", raw[place + 4 : place + 8])
        names.append(bytes(raw[place + 8 : place + 8 + min(name_length, 64)]).decode("ascii", "replace"))
    return Part(start, size, Item("Samsung trailer", f"Samsung blocks ({', '.join(names)})", "trailer"))
