"""AVIF, still: decoded and encoded by libvips (libheif), with 8, 10 or 12 bits."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item

SUFFIXES = (".avif",)
ONLY_READ = ()
READS = ("AVIF",)
HOLDS = Capacity(
    name="AVIF",
    depths=(8, 12),
    side=16384,
    alpha=True,
    grey=False,
    lossy=True,
    metadata={"icc": UNLIMITED, "exif": UNLIMITED, "xmp": UNLIMITED},
)
# The default quality.
QUALITY = 80


def accepts(content: Content) -> bool:
    """Return whether a file is an AVIF, by the brands in its header."""
    head = content.head
    if head[4:8] != b"ftyp":
        return False
    length = min(struct.unpack(">I", head[:4])[0], len(head))
    return bool({b"avif", b"avis"} & {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))})


def read(content: Content) -> PhotoSource:
    """Open an AVIF file."""
    return open_source(content, ".avif", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels."""
    return ()


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for an AVIF file; chroma is not subsampled.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    if raw[8:12] == b"avis":
        raise UnsupportedFormat("it is an animated AVIF; convert it to WebP or a video first")
    # Check the announced sizes before libheif allocates memory for them.
    for size in re.finditer(rb"ispe\0{4}(.{8})", raw[:65536], re.DOTALL):
        check_size(*struct.unpack(">II", size[1]))
    head = vips.loaded("heifload_source", raw, fail_on="error")
    check_size(head.width, head.height)
    bits = vips.field(head, "bits-per-sample") or 8

    def decode() -> Iterator[Image]:
        image = vips.loaded("heifload_source", raw, fail_on="error")
        pixels, alpha = vips.pixels_of(image)
        # libvips shifts 10 and 12 bits to the top of 16, so white is not 65535.
        levels = (0, ((1 << bits) - 1) << (16 - bits)) if pixels.dtype == np.uint16 else None
        # The file's own rotation is applied by the decoder, and EXIF's is to be ignored (MIAF, 7.3.6.7).
        yield upright_image(pixels, alpha, vips.metadata_of(image), orientation=1, levels=levels)

    return Contents(1, None, False, decode)


def _encode(job: EncoderInput) -> None:
    image = vips.joined(job)
    if job.metadata.exif:
        vips.set_blob(image, "exif-data", meta.prefixed(job.metadata.exif))
    if job.metadata.xmp:
        vips.set_blob(image, "xmp-data", job.metadata.xmp)
    image.heifsave_target(
        vips.target(job),
        compression="av1",
        Q=job.quality or QUALITY,
        bitdepth=12 if job.header.dtype == np.uint16 else 8,
        # 4.6 megapixels: 2.8 s; the default of 4 takes 12.6 s and saves a quarter.
        effort=2,
        subsample_mode="off",
    )
