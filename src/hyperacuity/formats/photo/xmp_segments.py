"""The segments of a JPEG file that hold XMP: the packet, and its extension in portions."""

from __future__ import annotations

from dataclasses import dataclass

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo import xmp_extended
from hyperacuity.formats.photo.jpeg_segments import LONGEST, Segment, packed
from hyperacuity.image import Item

APP1 = 0xE1
_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
# The longest packet of one segment.
LIMIT = LONGEST - len(_PREFIX)


@dataclass(frozen=True)
class FoundXmp:
    """The packet with its extension, and what the file holds of XMP."""

    packet: bytes | None
    items: list[Item]


def is_packet(segment: Segment) -> bool:
    """Return whether a segment holds a main packet."""
    return segment.marker == APP1 and segment.data.startswith(_PREFIX)


def is_extension(segment: Segment) -> bool:
    """Return whether a segment holds a portion of an extension."""
    return segment.marker == APP1 and segment.data.startswith(xmp_extended.PREFIX)


def main_packet(segments: list[Segment]) -> bytes | None:
    """Return the main packet among the segments of an image."""
    found = [each.data[len(_PREFIX) :] for each in segments if is_packet(each)]
    return found[0].rstrip(b"\0") if found else None


def found_in(segments: list[Segment]) -> FoundXmp:
    """Read XMP from the segments of an image."""
    items = []
    main = main_packet(segments)
    if main is not None:
        items.append(Item("APP1 XMP", "XMP", "xmp"))
    if sum(map(is_packet, segments)) > 1:
        items.append(Item("APP1 second XMP", "second XMP packet"))
    portions = [xmp_extended.portion(each.data[len(xmp_extended.PREFIX) :]) for each in segments if is_extension(each)]
    guid = xmp_extended.guid_in(main) if main else None
    if not portions and guid is None:
        return FoundXmp(main, items)
    known = [each for each in portions if each and each.guid == guid]
    if any(each not in known for each in portions):
        items.append(Item("APP1 foreign Extended XMP", "Extended XMP that no packet refers to"))
    extension = xmp_extended.assembled(known)
    if guid is not None and extension is None:
        items.append(Item("APP1 incomplete Extended XMP", "Extended XMP, of which a part is missing"))
    if main is None:
        return FoundXmp(None, items)
    try:
        main = xmp_extended.merged(main, extension)
        if extension is not None:
            items.append(Item("APP1 Extended XMP", "XMP", "xmp"))
    except DamagedFile:
        items.append(Item("APP1 damaged Extended XMP", "Extended XMP, which is not well-formed"))
    return FoundXmp(main, items)


def packed_xmp(packet: bytes) -> bytes:
    """Return the segments that hold a packet, which `xmp_extended.split` divides if it is longer than one."""
    if len(packet) <= LIMIT:
        return packed(APP1, _PREFIX + packet)
    divided = xmp_extended.split(packet, LIMIT)
    assert divided is not None, "fitting leaves out what cannot be divided"
    main, extension = divided
    return packed(APP1, _PREFIX + main) + b"".join(packed(APP1, each) for each in xmp_extended.segments(extension))
