"""The tags of enlarged TIFF pages besides those of their pixels: what was kept, with sizes and calibration changed."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hyperacuity.formats.photo import imagej, ome, photoshop
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.tiff_meaning import (
    DESCRIPTION,
    ICC,
    IMAGEJ,
    IPTC,
    OME,
    PHOTOSHOP,
    SEPARATE,
    XMP,
    fraction,
    program_of,
    shape_in,
)
from hyperacuity.formats.photo.tiff_tags import DIRECTORIES, Directory, Entry, Tiff, text, tree
from hyperacuity.formats.photo.tiff_writer import PageTags
from hyperacuity.image import Header, Metadata, Native

_LARGEST = 2**32 - 1


def byte_order(first: Metadata) -> str:
    """Return the byte order of the file that the first page comes from, or "<" for other formats."""
    return Tiff(first.native.data).order if first.native else "<"


def is_imagej(first: Metadata) -> bool:
    """Return whether the pages come from a file of ImageJ's, which reads stacks best without compression."""
    return _program(first) == IMAGEJ


def _program(first: Metadata) -> str | None:
    if first.native is None:
        return None
    tiff = Tiff(first.native.data)
    return program_of(tiff.directory(tiff.first)[0])


def tags_of(headers: list[Header], described: list[Metadata], order: str, name: str) -> list[PageTags]:
    """Return the tags of each page of a file.

    Args:
        headers: The headers of the pages as they will be written.
        described: The metadata of each.
        order: The byte order of the file.
        name: The name of the file, which OME states in it.
    """
    # The resolution of an image is that of its print, which is enlarged; a microscope's is that of its object.
    program = _program(described[0])
    return [
        _for_page(header, metadata, order, program, name) for header, metadata in zip(headers, described, strict=True)
    ]


def _for_page(header: Header, metadata: Metadata, order: str, program: str | None, name: str) -> PageTags:
    tags = _from_exif(metadata.exif, order)
    entries = tags.entries
    if metadata.native is not None:
        entries = entries | _from_native(metadata.native, header, order, program, name)
    elif densities := metadata.dpi or metadata.density_ratio:
        entries = entries | {282 + at: _rational(order, Fraction(dots)) for at, dots in enumerate(densities)}
        entries[296] = Entry(3, 1, struct.pack(order + "H", 2 if metadata.dpi else 1), 0)
    for tag, block in ((ICC, metadata.icc), (XMP, metadata.xmp)):
        if block:
            entries[tag] = Entry(7 if tag == ICC else 1, len(block), block, 0)
    if metadata.iptc and IPTC not in entries:
        padded = metadata.iptc + b"\0" * (-len(metadata.iptc) % 4)
        entries[IPTC] = Entry(4, len(padded) // 4, padded, 0)
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
    separate = SEPARATE in entries
    if DESCRIPTION in entries:
        raw = entries[DESCRIPTION].raw.rstrip(b"\0")
        entries[DESCRIPTION] = text(_description(raw, header, (height, width), separate, name))
    if PHOTOSHOP in entries:
        resources = photoshop.enlarged(entries[PHOTOSHOP].raw, scale)
        entries[PHOTOSHOP] = replace(entries[PHOTOSHOP], raw=resources, count=len(resources))
    if _scaled(program, entries, order):
        for tag, times in zip((282, 283), scale, strict=True):
            dots = fraction(entries.get(tag), order)
            if dots is not None:
                entries[tag] = _rational(order, dots * times)
    return {tag: entry for tag, entry in entries.items() if tag not in (256, 257, SEPARATE)}


def _description(raw: bytes, header: Header, before: tuple[int, int], separate: bool, name: str) -> bytes:
    """A description that states sizes, for the new one."""
    scale = Fraction(header.width, before[1]), Fraction(header.height, before[0])
    if imagej.accepts(raw):
        return imagej.enlarged(raw, scale)
    if ome.accepts(raw):
        return ome.enlarged(raw, header, scale, name)
    shape = shape_in(raw)
    return _reshaped(shape, before, separate, header) if shape else raw


def _scaled(program: str | None, entries: Directory, order: str) -> bool:
    """Whether the resolution of a page is that of the object, so that the enlarged page has a higher one."""
    unknown = entries[296].raw[:2] == struct.pack(order + "H", 1) if 296 in entries else False
    unset = unknown and all(fraction(entries.get(tag), order) in (None, 1) for tag in (282, 283))
    if program == IMAGEJ:
        return not unset or imagej.has_unit(entries[DESCRIPTION].raw if DESCRIPTION in entries else b"")
    return program == OME and not unset


def _rational(order: str, value: Fraction) -> Entry:
    """The nearest rational whose numbers fit into 32 bits."""
    if max(value.numerator, value.denominator) > _LARGEST:
        value = value.limit_denominator(max(1, int(_LARGEST / max(value, Fraction(1)))))
    return Entry(5, 1, struct.pack(order + "II", min(value.numerator, _LARGEST), value.denominator), 0)


def _reshaped(content: dict[str, Any], before: tuple[int, int], separate: bool, header: Header) -> bytes:
    """The description of tifffile with the new shape, whose last axes are rows, columns and channels.

    In the old one the channels may come before the rows, if the file holds them `separate`.
    """
    # Each page has a directory now, also where the source had one for all.
    content = {key: value for key, value in content.items() if key != "truncated"}
    shape = list(content["shape"])
    at = next((len(shape) - n for n in (2, 3) if tuple(shape[len(shape) - n :][:2]) == before), None)
    if at is None:
        return b""
    pages = shape[: at - 1] if separate and at == len(shape) - 2 and at else shape[:at]
    channels = [header.channels] if header.channels > 1 else []
    return json.dumps(content | {"shape": [*pages, header.height, header.width, *channels]}).encode()
