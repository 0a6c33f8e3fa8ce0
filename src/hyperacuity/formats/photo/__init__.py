"""Photos and animations: PNG, JPEG, WebP, TIFF, BMP, AVIF, GIF, Netpbm; JPEG 2000 for reading.

source, decoding       bytes -> images; what all decoders share
by_vips, by_pillow     the decoders of others, each for what it does exactly
png, netpbm            our own: APNG's frames and PNG's metadata; PGM, PPM, PAM, PFM
sink, spool            images -> bytes; rows that wait for the encoder
tiff, metadata         directories of tags in TIFF files and EXIF; orientation and size in EXIF and XMP
"""

from __future__ import annotations

from pathlib import Path

from hyperacuity.formats.photo.sink import TARGETS, PhotoSink
from hyperacuity.formats.photo.source import Photo, kind_of, open_photo
from hyperacuity.formats.protocol import Source

SUFFIXES = tuple(TARGETS)
# JPEG 2000, Netpbm; ".jpe" and ".dib" are JPEG and BMP by names that nobody chooses any more.
ONLY_READ = (".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".pbm", ".pam", ".jpe", ".dib")
READS = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PBM, PGM, PPM, PAM, PFM"


def accepts(head: bytes) -> bool:
    """Whether these first bytes of a file are those of a photo or an animation."""
    return kind_of(head) is not None


def read(data: Path | bytes) -> Photo:
    """Open a photo: see `open_photo`."""
    return open_photo(data)


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """A sink for a photo or an animation: see `PhotoSink`."""
    return PhotoSink(path, like, quality)
