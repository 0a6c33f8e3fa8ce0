"""What an XMP packet says about other parts of its file: gain map, video, depth map, Content Credentials.

Google's Ultra HDR 1.1, Motion Photo 1.0 and its forerunner MicroVideo, Dynamic Depth 1.0.
"""

from __future__ import annotations

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.photo.xmp import RDF, Element, Packet, Value

_CONTAINERS = ("Container", "dd-Container")
_ITEMS = ("Item", "dd-Item")
# The properties that announce a video behind the image.
_MOTION = ("MotionPhoto", "MicroVideo", "VideoLength", "OLivePhoto")


def holds_credentials(packet: Packet) -> bool:
    """Return whether a packet refers to Content Credentials (C2PA), which hold only for the bytes that they sign."""
    return any(True for _ in packet.values("dcterms", "provenance"))


def remove_credentials(packet: Packet) -> None:
    """Remove the reference to Content Credentials."""
    for value in packet.values("dcterms", "provenance"):
        packet.remove(value)


def remove_missing(packet: Packet, *, gain_map: bool, video: bool) -> None:
    """Remove what announces parts that the file will not hold.

    Args:
        packet: The packet.
        gain_map: Whether the file will hold the gain map.
        video: Whether it will hold the video of a motion photo.
    """
    if not gain_map:
        _remove_properties(packet, "hdrgm", "")
        for value in packet.values("apple-hdr"):
            packet.remove(value)
    if not video:
        for prefix in ("GCamera", "OpCamera"):
            for name in _MOTION:
                _remove_properties(packet, prefix, name)
    _remove_properties(packet, "dd-Device", "")
    kept = {"primary", *(["gainmap"] if gain_map else []), *(["motionphoto"] if video else [])}
    left = 0
    for prefix in _ITEMS:
        for value in packet.values(prefix, "Semantic"):
            if value.text.strip().lower() in kept:
                left += value.text.strip().lower() != "primary"
            elif entry := _entry(value):
                packet.remove(entry)
    if not left:
        for prefix in _CONTAINERS:
            _remove_properties(packet, prefix, "")
    else:
        _set_items(packet, "", "Padding", 0)


def with_gain_map_length(xmp: bytes, length: int) -> bytes:
    """Return a packet whose directory of the file's parts states the length in bytes of the gain map."""
    try:
        packet = Packet(xmp)
    except DamagedFile:
        return xmp
    _set_items(packet, "gainmap", "Length", length)
    return packet.result()


def _set_items(packet: Packet, semantic: str, name: str, number: int) -> None:
    for fields in packet.groups("Item"):
        if name in fields and "Semantic" in fields and semantic in ("", fields["Semantic"].text.strip().lower()):
            packet.replace(fields[name], str(number))


def _remove_properties(packet: Packet, prefix: str, start: str) -> None:
    for value in packet.values(prefix):
        if value.name[1].startswith(start):
            packet.remove(value)


def _entry(value: Value) -> Element | None:
    """The entry of a list around a value."""
    owner = value.owner
    while owner is not None and owner.name != (RDF, "li"):
        owner = owner.owner
    return owner
