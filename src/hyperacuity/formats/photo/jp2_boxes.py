"""The boxes of a JPEG 2000 file, and the metadata in them. ISO/IEC 15444-1, annex I, and 15444-2, annex M."""

from __future__ import annotations

import struct
from dataclasses import replace

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.boxes import Box, boxes
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.image import Item, Metadata

_STRUCTURE = frozenset(
    {
        b"jP  ",
        b"ftyp",
        b"jp2h",
        b"jp2c",
        b"ihdr",
        b"bpcc",
        b"pclr",
        b"cmap",
        b"cdef",
        b"rreq",
        b"free",
        b"jpch",
        b"jplh",
    }
)
_NAMES = {
    b"uinf": "links (uinf)",
    b"jp2i": "intellectual property (jp2i)",
    b"asoc": "associated data (asoc)",
    b"lbl ": "label (lbl)",
    b"jumb": "C2PA manifest",
    b"gtso": "graphics technology output",
    b"roid": "regions of interest",
}
_XMP = "be7acfcb97a942e89c71999491e3afac"
_EXIF = "4a706754696666457869662d3e4a5032"
_IPTC = "33c7a4d2b81d4723a0baf1a3e097ad38"
_UUIDS = {
    "b14bf8bd083d4b43a5ae8cd7d5a6ce03": "georeference (GeoJP2)",
    "96a9f1f1dc98402da7aed68e34451809": "georeference (world file)",
    "2c4c010085044040a03e562148d6dfeb": "Photoshop resources",
    "d8fec3d61b0e483c92975828877ec481": "C2PA manifest",
}
# Colour spaces that decoding turns into grey or sRGB.
_PLAIN = frozenset({16, 17, 18})
_SPACES = {12: "CMYK", 14: "CIELab", 20: "e-sRGB", 21: "ROMM RGB", 24: "e-sYCC"}


class _Found:
    """What the boxes read so far hold."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.metadata = Metadata()
        self.display: tuple[float, float] | None = None


def metadata_in(raw: Bytes) -> Metadata:
    """Return what a JPEG 2000 file says besides its pixels, with a list of all items; a bare codestream has none."""
    found = _Found()
    if raw[4:8] != b"jP  ":
        return found.metadata
    try:
        _add_boxes(found, raw, 0, len(raw))
    except (struct.error, IndexError) as error:
        raise DamagedFile("its boxes are cut short") from error
    metadata = found.metadata
    exif_dpi = meta.dpi(metadata.exif) if metadata.exif else None
    return replace(metadata, dpi=metadata.dpi or found.display or exif_dpi, items=tuple(found.items))


def _add_boxes(found: _Found, raw: Bytes, start: int, end: int) -> None:
    for box in boxes(raw, start, end):
        if box.kind in (b"jp2h", b"res "):
            _add_boxes(found, raw, box.start, box.end)
        elif box.kind == b"colr":
            _add_colour(found, bytes(raw[box.start : box.end]))
        elif box.kind == b"resc" and found.metadata.dpi is None:
            found.metadata = replace(found.metadata, dpi=_resolution(raw, box))
        elif box.kind == b"resd":
            found.display = _resolution(raw, box)
        elif box.kind[:4] == b"uuid":
            _add_uuid(found, box.kind[4:].hex(), bytes(raw[box.start : box.end]))
        elif box.kind == b"xml ":
            found.items.append(Item("box xml", "XML"))
        elif box.kind not in _STRUCTURE:
            name = box.kind.decode("latin-1").rstrip()
            found.items.append(Item(f"box {name}", _NAMES.get(box.kind, f"box {name!r}")))


def _add_colour(found: _Found, content: bytes) -> None:
    method = content[0]
    if method in (2, 3):
        found.metadata = replace(found.metadata, icc=found.metadata.icc or content[3:])
        found.items.append(Item("box colr", "ICC profile", "icc"))
    elif method == 1:
        (space,) = struct.unpack(">I", content[3:7])
        if space not in _PLAIN:
            found.items.append(Item("box colr", f"colour space {_SPACES.get(space, space)}"))
    else:
        found.items.append(Item("box colr", f"colour by method {method}"))


def _resolution(raw: Bytes, box: Box) -> tuple[float, float] | None:
    """Pixels per inch, across and down; None if a number is zero."""
    if box.end - box.start < 10:
        return None
    down, below_down, across, below_across, power_down, power_across = struct.unpack(
        ">4H2b", raw[box.start : box.start + 10]
    )
    if not (down and across and below_down and below_across):
        return None
    return across / below_across * 10.0**power_across * 0.0254, down / below_down * 10.0**power_down * 0.0254


def _add_uuid(found: _Found, uuid: str, content: bytes) -> None:
    key = f"box uuid {uuid}"
    if uuid == _XMP:
        found.metadata = replace(found.metadata, xmp=content.rstrip(b"\0") or None)
        found.items.append(Item(key, "XMP", "xmp"))
    elif uuid == _EXIF:
        found.metadata = replace(found.metadata, exif=meta.unprefixed(content) or None)
        found.items.append(Item(key, "EXIF", "exif"))
    elif uuid == _IPTC:
        found.metadata = replace(found.metadata, iptc=content or None)
        found.items.append(Item(key, "IPTC", "iptc"))
    else:
        found.items.append(Item(key, _UUIDS.get(uuid, f"box uuid {uuid}")))
