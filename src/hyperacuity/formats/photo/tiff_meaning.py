"""What each tag of a TIFF page means for its enlarged copy: kept, changed with the size, or left out and named.

Tags that state how pixels are stored are written anew. Descriptions and cameras' tags travel in the EXIF block, the
colour profile and XMP in fields of their own. Everything else that stays true is kept as `Native`, tag by tag.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from hyperacuity.formats.photo import imagej, ome, photoshop
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.tiff_tags import DIRECTORIES, Directory, Entry, Tiff, number, packed, text, tree
from hyperacuity.formats.photo.tiff_writer import PageTags
from hyperacuity.image import Header, Metadata, Native

FORMAT = "TIFF"

_DESCRIPTION, _IPTC, _PHOTOSHOP = 270, 33723, 34377
_RESOLUTION = (282, 283, 296)
_LARGEST = 2**32 - 1

# Tags that state how the pixels are stored, and those that other fields of `Metadata` carry.
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
_WRITTEN_ANEW |= {32997, 32998, 34908, 34909, 34910, 50674, 50675} | set(DIRECTORIES)
_WRITTEN_ANEW -= {_IPTC, _PHOTOSHOP, *_RESOLUTION}
_IN_EXIF = meta.DESCRIPTIVE

# What is left out, since it holds for the pixels of the source alone, by its name.
_GEO = "the georeference (GeoTIFF: coordinate system, position and size of a pixel)"
_LOST: dict[int, str] = {
    **dict.fromkeys((33550, 33920, 33922, 34264, 34735, 34736, 34737, 50844), _GEO),
    42112: "GDAL's metadata",
    42113: "the no-data value (GDAL)",
    301: "the transfer function",
    333: "the names of inks",
    32932: "annotations (Wang)",
    50255: "annotations",
    **dict.fromkeys((33628, 33629, 33630, 33631), "MetaMorph's settings, with the size of a pixel (STK)"),
    **dict.fromkeys((34361, 34362, 34386), "FluoView's settings, with the size of a pixel"),
    34412: "the microscope's settings, with the size of a pixel (Zeiss LSM)",
    34118: "the microscope's settings, with the size of a pixel (Zeiss SEM)",
    **dict.fromkeys((34680, 34682), "the microscope's settings, with the size of a pixel (FEI)"),
    **dict.fromkeys((33471, 33560), "the microscope's settings, with the size of a pixel (Olympus SIS)"),
    51123: "MicroManager's metadata, with the size of a pixel",
    **dict.fromkeys(range(65006, 65028), "DigitalMicrograph's settings, with the size of a pixel"),
    **dict.fromkeys(range(65420, 65460), "the scanner's settings (Hamamatsu NDPI)"),
    37724: "Photoshop's layers",
    52545: "the C2PA manifest, which does not hold for an enlarged image",
    **dict.fromkeys(
        (*range(50706, 50742), *range(50778, 50833), *range(50931, 50976)), "the tags of a raw image (DNG)"
    ),
    **dict.fromkeys(
        (*range(51008, 51042), *range(51107, 51113), *range(52525, 52545)), "the tags of a raw image (DNG)"
    ),
}
# What is kept and other formats cannot hold, by its name; others by their numbers.
_KEPT = {
    _IPTC: "IPTC",
    _PHOTOSHOP: "Photoshop resources",
    286: "the position on the page",
    287: "the position on the page",
    297: "the number of the page",
    337: "the target printer",
    imagej.DATA: "ImageJ's metadata",
    imagej.COUNTS: "",
}
_IMAGEJ, _OME = "ImageJ's calibration", "OME metadata"


@dataclass(frozen=True)
class Meaning:
    """What a page says besides its pixels and the fields that other formats share.

    Args:
        native: Tags that its enlarged copy keeps.
        lost: The names of what it does not keep.
    """

    native: Native
    lost: tuple[str, ...]


def of_page(tiff: Tiff, page: Directory, turned: bool) -> Meaning:
    """Return what a page says.

    Args:
        tiff: The file.
        page: Its tags.
        turned: Whether its rows become columns, since it is shown upright.
    """
    lost: dict[str, None] = {}
    kept: Directory = {}
    labels: dict[str, None] = {}
    program = program_of(page)
    for tag, entry in page.items():
        if tag in _LOST:
            lost[_LOST[tag]] = None
        elif tag == _PHOTOSHOP:
            resources, gone = photoshop.kept(entry.raw)
            lost |= dict.fromkeys(gone)
            if resources:
                kept[tag] = Entry(7, len(resources), resources, 0)
                labels[_KEPT[tag]] = None
        elif tag == imagej.DATA:
            gone = imagej.lost(tiff, page)
            lost |= dict.fromkeys(gone)
            kept |= imagej.kept(tiff, page)
            labels[_KEPT[tag]] = None
        elif tag == _DESCRIPTION and program is not None:
            kept[tag] = entry
            labels[program] = None
        elif tag == imagej.COUNTS or tag in _IN_EXIF or (tag in _WRITTEN_ANEW and tag not in _RESOLUTION):
            continue
        elif entry.kind in (13, 18):
            lost[f"the directory under tag {tag}"] = None
        else:
            kept[tag] = entry
            if tag not in _RESOLUTION:
                labels[_KEPT.get(tag, f"tag {tag}")] = None
    return Meaning(_native(tiff, page, kept, turned, ", ".join(filter(None, labels))), tuple(lost))


def _native(tiff: Tiff, page: Directory, kept: Directory, turned: bool, label: str) -> Native:
    """The tags as a TIFF structure, in the file's byte order, with the size that they belong to."""
    height, width = tiff.integer(page, 257, 0), tiff.integer(page, 256, 0)
    if turned:
        height, width = width, height
        swapped = {282: kept.get(283), 283: kept.get(282)}
        kept = {tag: e for tag, e in kept.items() if tag not in swapped} | {t: e for t, e in swapped.items() if e}
    kept = kept | {256: number(tiff.order, width), 257: number(tiff.order, height)}
    head = struct.pack(tiff.order + "2sHI", b"II" if tiff.order == "<" else b"MM", 42, 8)
    return Native(FORMAT, head + packed(kept, 8, tiff.order), label)


def program_of(page: Directory) -> str | None:
    """Return what a page's description states that is rewritten for the enlarged image; None for other texts."""
    description = page[_DESCRIPTION].raw if _DESCRIPTION in page else b""
    if imagej.accepts(description):
        return _IMAGEJ
    if ome.accepts(description):
        return _OME
    return "" if _shape(description) else None


def _shape(description: bytes) -> dict[str, Any] | None:
    """The description that tifffile writes: JSON with the shape of the array."""
    if not description.startswith(b'{"shape":'):
        return None
    try:
        found = json.loads(description.rstrip(b"\0"))
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("shape"), list) else None


def byte_order(pages: list[Metadata]) -> str:
    """Return the byte order of the file that the first page comes from, or "<" for other formats."""
    native = pages[0].native
    return Tiff(native.data).order if native else "<"


def is_imagej(pages: list[Metadata]) -> bool:
    """Return whether the pages come from a file of ImageJ's, which reads stacks best without compression."""
    return _calibration(pages) == _IMAGEJ


def _calibration(pages: list[Metadata]) -> str | None:
    native = pages[0].native
    if native is None:
        return None
    tiff = Tiff(native.data)
    return program_of(tiff.directory(tiff.first)[0])


def for_pages(headers: list[Header], order: str, name: str) -> list[PageTags]:
    """Return the tags of each page of a file besides those of its pixels.

    Args:
        headers: The headers of the pages as they will be written, with their metadata.
        order: The byte order of the file.
        name: The name of the file, which OME states in it.
    """
    # The resolution of an image is that of its print, which is enlarged; a microscope's is that of its object.
    program = _calibration([header.metadata for header in headers])
    return [_for_page(header, order, program, name) for header in headers]


def _for_page(header: Header, order: str, program: str | None, name: str) -> PageTags:
    tags = _from_exif(header.metadata.exif, order)
    entries = tags.entries
    metadata = header.metadata
    if metadata.native is not None:
        entries = entries | _from_native(metadata.native, header, order, program, name)
    elif metadata.dpi is not None:
        entries = entries | {282 + at: _rational(order, Fraction(dots)) for at, dots in enumerate(metadata.dpi)}
        entries[296] = Entry(3, 1, struct.pack(order + "H", 2), 0)
    if metadata.icc:
        entries[34675] = Entry(7, len(metadata.icc), metadata.icc, 0)
    if metadata.xmp:
        entries[700] = Entry(1, len(metadata.xmp), metadata.xmp, 0)
    return PageTags(entries, tags.inner)


def _from_exif(exif: bytes | None, order: str) -> PageTags:
    if exif is None:
        return PageTags({}, {})
    source = Tiff(exif)
    entries, _, _ = source.directory(source.first)
    inner = tree(source, entries)
    entries = {tag: e for tag, e in entries.items() if tag not in meta.STRUCTURAL and tag not in DIRECTORIES}
    if source.order != order:
        entries = {tag: entry.swapped() for tag, entry in entries.items()}
        inner = {name: {tag: entry.swapped() for tag, entry in held.items()} for name, held in inner.items()}
    return PageTags(entries, inner)


def _from_native(native: Native, header: Header, order: str, program: str | None, name: str) -> Directory:
    source = Tiff(native.data)
    entries, _, _ = source.directory(source.first)
    width, height = source.integer(entries, 256, 0), source.integer(entries, 257, 0)
    scale = Fraction(header.width, width), Fraction(header.height, height)
    if source.order != order:
        entries = {tag: entry.swapped() for tag, entry in entries.items()}
    description = entries.get(_DESCRIPTION)
    if description is not None:
        raw = description.raw.rstrip(b"\0")
        if imagej.accepts(raw):
            entries[_DESCRIPTION] = text(imagej.enlarged(raw, scale))
        elif ome.accepts(raw):
            entries[_DESCRIPTION] = text(ome.enlarged(raw, header, scale, name))
        elif shape := _shape(raw):
            entries[_DESCRIPTION] = text(_reshaped(shape, (height, width), header))
    if _PHOTOSHOP in entries:
        resources = photoshop.enlarged(entries[_PHOTOSHOP].raw, scale)
        entries[_PHOTOSHOP] = replace(entries[_PHOTOSHOP], raw=resources, count=len(resources))
    if _scaled(program, entries, order):
        for tag, times in zip((282, 283), scale, strict=True):
            dots = _fraction(entries.get(tag), order)
            if dots is not None:
                entries[tag] = _rational(order, dots * times)
    return {tag: entry for tag, entry in entries.items() if tag not in (256, 257)}


def _scaled(program: str | None, entries: Directory, order: str) -> bool:
    """Whether the resolution of a page is that of the object, so that the enlarged page has a higher one."""
    unknown = entries[296].raw[:2] == struct.pack(order + "H", 1) if 296 in entries else False
    unset = unknown and all(_fraction(entries.get(tag), order) in (None, 1) for tag in (282, 283))
    if program == _IMAGEJ:
        return not unset or imagej.has_unit(entries[_DESCRIPTION].raw if _DESCRIPTION in entries else b"")
    return program == _OME and not unset


def _fraction(entry: Entry | None, order: str) -> Fraction | None:
    """The value of a rational; None if it is missing or has no value."""
    if entry is None or entry.kind != 5 or entry.count != 1:
        return None
    above, below = struct.unpack(order + "II", entry.raw)
    return Fraction(above, below) if above and below else None


def _rational(order: str, value: Fraction) -> Entry:
    """The nearest rational whose numbers fit into 32 bits."""
    if max(value.numerator, value.denominator) > _LARGEST:
        value = value.limit_denominator(max(1, int(_LARGEST / max(value, Fraction(1)))))
    return Entry(5, 1, struct.pack(order + "II", min(value.numerator, _LARGEST), value.denominator), 0)


def _reshaped(content: dict[str, Any], before: tuple[int, int], header: Header) -> bytes:
    """The description of tifffile with the new shape: the last two or three axes are rows, columns and channels."""
    # Each page has a directory now, also where the source had one for all.
    content = {key: value for key, value in content.items() if key != "truncated"}
    shape = list(content["shape"])
    at = next((len(shape) - n for n in (2, 3) if tuple(shape[len(shape) - n :][:2]) == before), None)
    if at is None:
        return b""
    shape[at : at + 2] = [header.height, header.width]
    if at + 2 < len(shape):
        shape[at + 2] = header.channels
    return json.dumps(content | {"shape": shape}).encode()
