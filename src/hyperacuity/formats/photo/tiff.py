"""TIFF, of one page or several, each of its own size and type, with 8 and 16 bits and floats.

tiff_tags      the structure: directories of tagged values
tiff_pages     which directories are pages
tiff_reading   how a page is decoded; tiff_samples, by its strips
tiff_meaning   what its tags mean for the enlarged page; imagej, ome, photoshop, camera_raw
tiff_writer    how pages are written
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import tiff_meaning
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.tiff_pages import pages_of
from hyperacuity.formats.photo.tiff_reading import check_readable, decoded
from hyperacuity.formats.photo.tiff_tags import Tiff
from hyperacuity.formats.photo.tiff_writer import write_pages
from hyperacuity.formats.protocol import UNLIMITED, Capacity, LossWarning, Source
from hyperacuity.image import Image

SUFFIXES = (".tif", ".tiff")
ONLY_READ = ()
READS = ("TIFF",)
HOLDS = Capacity(
    name=tiff_meaning.FORMAT,
    depths=(8, 16, 32),
    alpha=True,
    pages=True,
    metadata={"icc": UNLIMITED, "exif": UNLIMITED, "xmp": UNLIMITED, "dpi": UNLIMITED, "native": UNLIMITED},
)


def accepts(content: Content) -> bool:
    """Return whether a file is a TIFF or a BigTIFF, in either byte order."""
    return content.head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(content: Content) -> PhotoSource:
    """Open a TIFF file."""
    return open_source(content, ".tif", _contents)


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a TIFF file, compressed without loss.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    tiff = Tiff(raw)
    pages, lost = pages_of(tiff)
    for page in pages:
        check_readable(tiff, page.tags)

    def decode() -> Iterator[Image]:
        for name in lost:
            warnings.warn(LossWarning(f"{name} is left out"), stacklevel=2)
        for page in pages:
            yield decoded(raw, tiff, page)

    lossless = not any(tiff.integer(page.tags, 259, 1) in (6, 7) for page in pages)
    return Contents(len(pages), None, lossless, decode)


def _encode(job: EncoderInput) -> None:
    headers = [page.header for page in job.pages]
    metadata = [header.metadata for header in headers]
    order = tiff_meaning.byte_order(metadata)
    tags = tiff_meaning.for_pages(headers, order, job.out.path.name)
    write_pages(job.out, job.pages, tags, order, compress=not tiff_meaning.is_imagej(metadata))
