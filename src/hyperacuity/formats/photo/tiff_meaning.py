"""What each tag of a TIFF page means for its enlarged copy: kept, changed with the size, or left out and named.

Tags that state how pixels are stored are written anew. Descriptions and cameras' tags travel in the EXIF block, the
colour profile, IPTC and XMP in fields of their own. Everything else that stays true is kept as `Native`, tag by tag.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hyperacuity.formats.photo import imagej, ome, photoshop
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.tiff_tags import EXIF, GPS, INTEROP, Directory, Entry, Tiff, number, packed
from hyperacuity.image import Item, Metadata, Native

FORMAT = "TIFF"
DESCRIPTION, XMP, IPTC, PHOTOSHOP, ICC = 270, 700, 33723, 34377, 34675
RESOLUTION = (282, 283, 296)
_PAGE_OF_SEVERAL, _ORIENTATION = 254, 274
# Whether the channels of an image are stored one after another; descriptions of arrays depend on it.
SEPARATE = 284
IMAGEJ, OME = "ImageJ's calibration", "OME metadata"

# Tags that state how the pixels are stored, and those of other directories.
_WRITTEN_ANEW = meta.STRUCTURAL | frozenset(range(254, 269)) | {280, 281, 288, 289, 290, 291, 292, 293, 321, 326, 327}
_WRITTEN_ANEW |= {
    328,
    332,
    336,
    342,
    343,
    344,
    345,
    351,
    404,
    433,
    434,
    435,
    *range(512, 522),
    559,
    32781,
    32995,
    32996,
}
_WRITTEN_ANEW |= {32997, 32998, 34908, 34909, 34910, 50674, 50675}
# What is left out, since it holds for the pixels of the source alone, by its name.
_GEO = "georeference (GeoTIFF: coordinate system, position, size of a pixel)"
_MICROSCOPE = "settings of the microscope with the size of a pixel"
_RAW = "tags of a raw image (DNG)"
_LOST: dict[int, str] = {
    **dict.fromkeys((33550, 33920, 33922, 34264, 34735, 34736, 34737, 50844), _GEO),
    42112: "GDAL's metadata",
    42113: "no-data value (GDAL)",
    301: "transfer function",
    333: "names of inks",
    32932: "annotations (Wang)",
    50255: "annotations",
    **dict.fromkeys((33628, 33629, 33630, 33631), f"{_MICROSCOPE} (MetaMorph STK)"),
    **dict.fromkeys((34361, 34362, 34386), f"{_MICROSCOPE} (FluoView)"),
    34412: f"{_MICROSCOPE} (Zeiss LSM)",
    34118: f"{_MICROSCOPE} (Zeiss SEM)",
    **dict.fromkeys((34680, 34682), f"{_MICROSCOPE} (FEI)"),
    **dict.fromkeys((33471, 33560), f"{_MICROSCOPE} (Olympus SIS)"),
    51123: "MicroManager's metadata with the size of a pixel",
    **dict.fromkeys(range(65006, 65028), f"{_MICROSCOPE} (DigitalMicrograph)"),
    **dict.fromkeys(range(65420, 65460), "settings of the scanner (Hamamatsu NDPI)"),
    37724: "Photoshop's layers",
    52545: "Content Credentials (C2PA), which do not hold for an enlarged image",
    **dict.fromkeys((*range(50706, 50742), *range(50778, 50833), *range(50931, 50976)), _RAW),
    **dict.fromkeys((*range(51008, 51042), *range(51107, 51113), *range(52525, 52545)), _RAW),
}
# What is kept and other formats cannot hold, by its name; others by their numbers.
_KEPT = {
    286: "position on the page",
    287: "position on the page",
    297: "number of the page",
    337: "target printer",
}
# What other fields of `Metadata` carry: its label and the field.
_IN_FIELDS = {XMP: ("XMP", "xmp")} | dict.fromkeys((*meta.DESCRIPTIVE, EXIF, GPS, INTEROP), ("EXIF", "exif"))
# Photoshop's resources: IPTC, and those with places in the image, which a turn would change.
_IPTC_RESOURCE, _PLACED = 1028, (1032, *range(2000, 2999))
_COLOURS = {5: "CMYK", 8: "Lab", 9: "Lab"}


@dataclass
class _Found:
    """What is found in a page, by where it goes."""

    kept: Directory = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    iptc: bytes | None = None

    def add(self, place: str, label: str, carrier: str | None = None) -> None:
        self.items.append(Item(place, label, carrier))


def metadata_of(tiff: Tiff, page: Directory, place: str, orientation: int) -> Metadata:
    """Return what a page holds besides its pixels, except for the EXIF block.

    Args:
        tiff: The file.
        page: Its tags.
        place: What precedes the key of its items, such as "page 2 ".
        orientation: How it is turned to be shown upright, 1 to 8.
    """
    found = _Found()
    inks = _COLOURS.get(tiff.integer(page, 262, 1))
    if inks:
        found.add(f"{place}tag 262", f"{inks} colours (converted to sRGB)")
    for tag, entry in page.items():
        _sort(found, tiff, page, tag, entry, place, orientation)
    icc, xmp = page.get(ICC), page.get(XMP)
    dpi = tiff.dpi(page)
    return Metadata(
        icc=icc.raw if icc and not inks else None,
        xmp=xmp.raw.rstrip(b"\0") or None if xmp else None,
        iptc=found.iptc,
        dpi=dpi,
        density_ratio=None if dpi else _density_ratio(page, tiff.order),
        native=_native(tiff, page, found.kept, turned=orientation >= 5),
        items=tuple(found.items),
    )


def _sort(found: _Found, tiff: Tiff, page: Directory, tag: int, entry: Entry, place: str, orientation: int) -> None:
    """Put one tag where it goes, and list it."""
    key = f"{place}tag {tag}"
    if tag in _LOST:
        found.add(key, _LOST[tag])
    elif tag == ICC:
        inks = _COLOURS.get(tiff.integer(page, 262, 1))
        found.add(key, f"{inks} profile" if inks else "ICC", None if inks else "icc")
    elif tag == DESCRIPTION and (program := program_of(page)) is not None:
        _add_program(found, entry, key, program)
    elif tag in _IN_FIELDS:
        found.add(key, *_IN_FIELDS[tag])
    elif tag == IPTC:
        found.iptc = _records(entry)
        found.kept[tag] = entry  # with its type and padding, for TIFF
        found.add(key, "IPTC", "iptc")
    elif tag == PHOTOSHOP:
        _add_resources(found, entry.raw, place, orientation)
    elif tag == imagej.DATA:
        _add_imagej(found, tiff, page, key)
    elif tag in RESOLUTION or tag == _PAGE_OF_SEVERAL:
        found.kept[tag] = entry
    elif tag == _ORIENTATION:
        found.kept[tag] = number(tiff.order, 1)
    elif tag in _WRITTEN_ANEW or tag == imagej.COUNTS:
        return
    elif entry.kind in (13, 18):
        found.add(key, f"directory under tag {tag}")
    else:
        found.kept[tag] = entry
        found.add(key, _KEPT.get(tag, f"tag {tag}"), "native")


def _add_program(found: _Found, entry: Entry, key: str, program: str) -> None:
    """Keep a description that states sizes; the shape of an array alone is not worth a warning."""
    found.kept[DESCRIPTION] = entry
    found.add(key if program else f"structure {key}", program or "shape of the array", "native")
    if program == OME and ome.has_other_files(entry.raw):
        found.add(f"{key} FileName", "links to the other files of an OME set")


def _records(entry: Entry) -> bytes:
    """IPTC's records without padding; some programs declare them as integers, whose bytes others then exchange."""
    raw = entry.raw
    exchanged = entry.swapped().raw if entry.kind == 4 else raw
    raw = exchanged if raw[:1] != b"\x1c" and exchanged[:1] == b"\x1c" else raw
    at = 0
    while raw[at : at + 1] == b"\x1c" and at + 5 <= len(raw):
        size = int.from_bytes(raw[at + 3 : at + 5])
        if size >= 0x8000:
            return raw  # a record whose length has a length of its own
        at += 5 + size
    return raw[:at] or raw


def _add_resources(found: _Found, block: bytes, place: str, orientation: int) -> None:
    """Take what stays true from Photoshop's resources, and guides and paths, which the size or nothing changes."""
    kept = b""
    for each in photoshop.resources(block):
        key = f"{place}tag {PHOTOSHOP} resource {each.number}"
        stays, lost = photoshop.kept(each.packed())
        if each.number == _IPTC_RESOURCE:
            found.iptc = found.iptc or each.data
            found.add(key, "IPTC", "iptc")
        elif photoshop.is_default(each) or not (stays or lost):
            found.add(f"structure {key}", "Photoshop's settings")
            continue
        elif lost or (orientation != 1 and each.number in _PLACED):
            found.add(key, lost[0] if lost else "Photoshop's guides and paths")
            continue
        else:
            found.add(key, "Photoshop's resources", "native")
        kept += stays
    if kept:
        found.kept[PHOTOSHOP] = Entry(7, len(kept), kept, 0)


def _add_imagej(found: _Found, tiff: Tiff, page: Directory, key: str) -> None:
    for name in imagej.lost(tiff, page):
        found.add(f"{key} {name}", name)
    found.kept |= imagej.kept(tiff, page)
    if imagej.DATA in found.kept:
        found.add(key, "ImageJ's metadata", "native")


def _native(tiff: Tiff, page: Directory, kept: Directory, turned: bool) -> Native:
    """The tags as a TIFF structure, in the file's byte order, with the size and the layout that they belong to."""
    height, width = tiff.integer(page, 257, 0), tiff.integer(page, 256, 0)
    if turned:
        height, width = width, height
        exchanged = {282: kept.get(283), 283: kept.get(282)}
        kept = {tag: e for tag, e in kept.items() if tag not in exchanged} | {t: e for t, e in exchanged.items() if e}
    kept = kept | {256: number(tiff.order, width), 257: number(tiff.order, height)}
    if tiff.integer(page, SEPARATE, 1) == 2:
        kept = kept | {SEPARATE: number(tiff.order, 2)}
    head = struct.pack(tiff.order + "2sHI", b"II" if tiff.order == "<" else b"MM", 42, 8)
    return Native(FORMAT, head + packed(kept, 8, tiff.order))


def program_of(page: Directory) -> str | None:
    """Return what a page's description states that is rewritten for the enlarged image; None for other texts."""
    description = page[DESCRIPTION].raw if DESCRIPTION in page else b""
    if imagej.accepts(description):
        return IMAGEJ
    if ome.accepts(description):
        return OME
    return "" if shape_in(description) else None


def shape_in(description: bytes) -> dict[str, Any] | None:
    """Return the description that tifffile writes: JSON with the shape of the array; None for other texts."""
    if not description.startswith(b'{"shape":'):
        return None
    try:
        found = json.loads(description.rstrip(b"\0"))
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("shape"), list) else None


def fraction(entry: Entry | None, order: str) -> Fraction | None:
    """Return the value of a rational; None if it is missing or has no value."""
    if entry is None or entry.kind != 5 or entry.count != 1:
        return None
    above, below = struct.unpack(order + "II", entry.raw)
    return Fraction(above, below) if above and below else None


def _density_ratio(page: Directory, order: str) -> tuple[int, int] | None:
    """The ratio of two densities that have no unit; None for square pixels."""
    across, down = (fraction(page.get(tag), order) for tag in (282, 283))
    if across is None or down is None or across == down:
        return None
    ratio = (across / down).limit_denominator(65535)
    return (ratio.numerator, ratio.denominator) if 0 < ratio.numerator < 65536 else None
