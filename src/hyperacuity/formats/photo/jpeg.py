"""JPEG: decoded and encoded by libvips; EXIF, XMP, comments and IPTC are read and written here."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item, Native

SUFFIXES = (".jpg", ".jpeg", ".jfif")
ONLY_READ = (".jpe",)
READS = ("JPEG",)
# The length of a segment has 16 bits.
HOLDS = Capacity(
    name="JPEG",
    side=65500,
    lossy=True,
    metadata={"icc": UNLIMITED, "exif": 65527, "xmp": 65504, "dpi": UNLIMITED, "native": UNLIMITED},
)
# The default quality.
QUALITY = 95

# Markers of segments, and how Photoshop's begins.
_SCAN, _COMMENT, _PHOTOSHOP = 0xDA, 0xFE, 0xED
_PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
# Warnings of libjpeg about files that are nevertheless complete.
_HARMLESS = re.compile(
    r"extraneous bytes before marker|Invalid SOS parameters|unknown JFIF revision|Unknown Adobe color"
)


def accepts(content: Content) -> bool:
    """Return whether a file is a JPEG."""
    return content.head.startswith(b"\xff\xd8\xff")


def read(content: Content) -> PhotoSource:
    """Open a JPEG file."""
    return open_source(content, ".jpg", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels."""
    return ()


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a JPEG file; chroma is not subsampled.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode, follows=True)


def _contents(raw: Bytes) -> Contents:
    import pyvips

    def decode() -> Iterator[Image]:
        try:
            image = vips.loaded("jpegload_source", raw, fail_on="warning")
            pixels, alpha = vips.pixels_of(image)
        except pyvips.Error as error:
            lines = str(error).splitlines()[1:]
            if not lines or not all(_HARMLESS.search(line) for line in lines if line.strip()):
                raise
            image = vips.loaded("jpegload_source", raw, fail_on="error")
            pixels, alpha = vips.pixels_of(image)
        metadata = vips.metadata_of(image)
        dpi = _jfif_dpi(raw) or metadata.dpi
        yield upright_image(pixels, alpha, replace(metadata, dpi=dpi, native=native(_own_segments(raw))))

    head = vips.loaded("jpegload_source", raw, fail_on="error")
    check_size(head.width, head.height)
    return Contents(1, None, False, decode)


def native(segments: bytes) -> Native | None:
    """Return whole segments, comments and IPTC, as metadata that only a JPEG file holds."""
    return Native(HOLDS.name, segments, "JPEG comments or IPTC") if segments else None


def _segments(raw: Bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the first scan, marker and length included."""
    at = 2
    while at + 4 <= len(raw) and raw[at] == 0xFF:
        marker = raw[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        (length,) = struct.unpack(">H", raw[at + 2 : at + 4])
        if marker == _SCAN or length < 2:
            return
        yield marker, at, at + 2 + length
        at += 2 + length


def _jfif_dpi(raw: Bytes) -> tuple[float, float] | None:
    """Pixels per inch of the JFIF segment, across and down."""
    for marker, start, end in _segments(raw):
        if marker == 0xE0 and end - start >= 16 and raw[start + 4 : start + 9] == b"JFIF\0":
            unit, across, down = struct.unpack(">BHH", raw[start + 11 : start + 16])
            if unit in (1, 2) and across and down:
                factor = 2.54 if unit == 2 else 1.0
                return across * factor, down * factor
    return None


def _own_segments(raw: Bytes) -> bytes:
    """Comments and IPTC, the only parts of Photoshop's block that still hold for a larger image."""
    kept = b""
    for marker, start, end in _segments(raw):
        if marker == _COMMENT:
            kept += bytes(raw[start:end])
        elif marker == _PHOTOSHOP and raw[start + 4 : start + 18] == _PHOTOSHOP_HEAD:
            iptc = meta.iptc(bytes(raw[start + 18 : end]))
            if iptc:
                content = _PHOTOSHOP_HEAD + iptc
                kept += b"\xff\xed" + struct.pack(">H", len(content) + 2) + content
    return kept


def _encode(job: EncoderInput) -> None:
    # libvips writes no JFIF segment. Without a resolution: no unit, square pixels.
    dpi = job.metadata.dpi
    density = (1, *(min(max(round(number), 1), 65535) for number in dpi)) if dpi else (0, 1, 1)
    segments = b"\xff\xe0" + struct.pack(">H5sHBHHBB", 16, b"JFIF\0", 0x0102, *density, 0, 0)
    if job.metadata.exif:
        block = meta.prefixed(job.metadata.exif)
        segments += b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    if job.metadata.xmp:
        block = b"http://ns.adobe.com/xap/1.0/\0" + job.metadata.xmp
        segments += b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    if job.metadata.native:
        segments += job.metadata.native.data
    # The segments end where libvips' start marker is, and overwrite it; the encoded data is not copied again.
    job.out.file.seek(len(segments))
    small = job.header.height * job.header.width <= 25_000_000
    vips.joined(job).jpegsave_target(
        vips.target(job),
        Q=job.quality or QUALITY,
        subsample_mode="off",
        # 7 % smaller, but libjpeg then holds all coefficients: 6 bytes a pixel.
        optimize_coding=small,
        keep="icc",
    )
    job.patch(0, b"\xff\xd8" + segments)
