"""TIFF, of one page or several, each of its own size and type, with 8 and 16 bits and floats.

tiff_tags      the structure: directories of tagged values
tiff_pages     which directories are pages
tiff_reading   how a page is decoded; tiff_samples, by its strips
tiff_meaning   what its tags mean for the enlarged page; imagej, ome, photoshop, camera_raw
tiff_writer    how pages are written
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import tiff_enlarged, tiff_meaning
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.tiff_pages import TiffPage, orientation_of, pages_of
from hyperacuity.formats.photo.tiff_reading import check_readable, decoded
from hyperacuity.formats.photo.tiff_tags import Tiff
from hyperacuity.formats.photo.tiff_writer import write_pages
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item, Metadata

HOLDS = Capacity(
    name=tiff_meaning.FORMAT,
    depths=(8, 16, 32),
    alpha=True,
    pages=True,
    mixed=True,
    metadata=dict.fromkeys(("icc", "exif", "xmp", "iptc", "dpi", "native"), UNLIMITED),
)


def read(content: Content) -> PhotoSource:
    """Open a TIFF file."""
    return open_source(content, ".tif", _contents)


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a TIFF file, compressed without loss.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels, page by page."""
    tiff = Tiff(content.whole())
    pages, lost = pages_of(tiff)
    return tuple(item for metadata in _described(tiff, pages, lost) for item in metadata.items)


def _described(tiff: Tiff, pages: list[TiffPage], lost: list[Item]) -> list[Metadata]:
    """The metadata of each page; those of the first name the images that are left out."""
    found = [
        tiff_meaning.metadata_of(
            tiff, page.tags, f"page {index + 1} " if index else "", orientation_of(tiff, page.tags)
        )
        for index, page in enumerate(pages)
    ]
    return [replace(found[0], items=(*found[0].items, *lost)), *found[1:]]


def _contents(raw: Bytes) -> Contents:
    tiff = Tiff(raw)
    pages, lost = pages_of(tiff)
    for page in pages:
        check_readable(tiff, page.tags)
    described = _described(tiff, pages, lost)

    def decode() -> Iterator[Image]:
        for page, metadata in zip(pages, described, strict=True):
            yield decoded(raw, tiff, page, metadata)

    lossless = not any(tiff.integer(page.tags, 259, 1) in (6, 7) for page in pages)
    return Contents(len(pages), None, lossless, decode)


def _encode(job: EncoderInput) -> None:
    order = tiff_enlarged.byte_order(job.metadata)
    headers = [page.header for page in job.pages]
    tags = tiff_enlarged.tags_of(headers, job.page_metadata, order, job.out.path.name)
    write_pages(job.out, job.pages, tags, order, compress=not tiff_enlarged.is_imagej(job.metadata))
