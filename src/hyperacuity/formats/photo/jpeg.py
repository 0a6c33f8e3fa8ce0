"""JPEG: decoded and encoded by libvips; everything besides the pixels is read and written here."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import gain_map, jpeg_behind, jpeg_resources, vips, xmp_container, xmp_segments
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.jpeg_parts import EXIF, JpegParts, parts_of
from hyperacuity.formats.photo.jpeg_segments import END, Structure, packed, packed_series, with_height
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, LossWarning, Source
from hyperacuity.image import Array, Image, Item, Metadata, Native

HOLDS = Capacity(
    name="JPEG",
    side=65500,
    lossy=True,
    metadata=dict.fromkeys(("icc", "exif", "dpi", "iptc", "density_ratio", "native", "gain_map", "trailer"), UNLIMITED)
    # Less than a segment holds: the directory of the file's parts may grow.
    | {"xmp": xmp_segments.LIMIT - 64},
    extended_xmp=True,
)
# The default quality.
QUALITY = 95

# Warnings of libjpeg about files that are nevertheless complete.
_HARMLESS = re.compile(
    r"extraneous bytes before marker|Invalid SOS parameters|unknown JFIF revision|Unknown Adobe color"
)


def read(content: Content) -> PhotoSource:
    """Open a JPEG file."""
    return open_source(content, ".jpg", partial(_contents, strict=content.strict))


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels.

    The arguments and errors are those of `formats.protocol.Format.inventory`.
    """
    return tuple(parts_of(content.whole()).items)


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a JPEG file; chroma is not subsampled.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode, follows=True)


def _contents(raw: Bytes, *, strict: bool) -> Contents:
    raw = with_height(raw)
    found = parts_of(raw)

    def decode() -> Iterator[Image]:
        with _naming_processes():
            pixels, alpha = _pixels(raw, found.structure, strict)
        metadata = _metadata(found)
        if found.gain is not None:
            # A damaged one is named, since nothing carries it.
            with suppress(pyvips.Error, UnsupportedFormat):
                metadata = replace(metadata, gain_map=gain_map.decoded(raw, *found.gain, found.announcement))
        yield upright_image(pixels, alpha, metadata)

    import pyvips

    with _naming_processes():
        head = vips.loaded("jpegload_source", raw, fail_on="error")
    check_size(head.width, head.height)
    return Contents(1, None, False, decode)


@contextmanager
def _naming_processes() -> Iterator[None]:
    """Raise `UnsupportedFormat` for a file that is not damaged but coded as libjpeg does not read."""
    import pyvips

    try:
        yield
    except pyvips.Error as error:
        if unsupported := _unsupported(str(error)):
            raise unsupported from error
        raise


def _unsupported(message: str) -> UnsupportedFormat | None:
    if found := re.search(r"Unsupported JPEG data precision (\d+)", message):
        depth = found[1]
        return UnsupportedFormat(
            f"its values have {depth} bits, and JPEG is read with 8; convert it to a 16-bit PNG or TIFF first"
        )
    if "Unsupported marker type 0xf7" in message:
        return UnsupportedFormat("it is a JPEG-LS image; convert it to PNG or TIFF first")
    if found := re.search(r"Unsupported JPEG process: SOF type (\w+)", message):
        return UnsupportedFormat(
            f"it is coded by a process of JPEG that is not read ({found[1]}); convert it to PNG or TIFF first"
        )
    return None


def _pixels(raw: Bytes, structure: Structure, strict: bool) -> tuple[Array, bool]:
    """The decoded pixels, and whether the last channel is alpha; a missing end marker alone is only warned of."""
    import pyvips

    try:
        return vips.pixels_of(vips.loaded("jpegload_source", raw, fail_on="warning"))
    except pyvips.Error as error:
        lines = [line for line in str(error).splitlines()[1:] if line.strip()]
        if lines and all(_HARMLESS.search(line) for line in lines):
            return vips.pixels_of(vips.loaded("jpegload_source", raw, fail_on="error"))
        if strict or structure.complete or not structure.refined or not _is_whole(raw):
            raise
        pixels = vips.pixels_of(vips.loaded("jpegload_source", bytes(raw) + END, fail_on="error"))
    warnings.warn(LossWarning("its end marker is missing; all its pixels are there"), stacklevel=2)
    return pixels


def _is_whole(raw: Bytes) -> bool:
    """Whether a file without an end marker holds all pixels: whatever bytes follow, the same ones are decoded.

    libvips does not report every scan that ends early.
    """
    import pyvips

    begun = bytes(raw).rstrip(b"\xff")  # the first half of the marker may be there
    first: Array | None = None
    for filling in (b"", b"\x55", b"\xaa", b"\x12"):
        try:
            pixels, _ = vips.pixels_of(vips.loaded("jpegload_source", begun + filling * 64 + END, fail_on="error"))
        except pyvips.Error:
            return False
        first = pixels if first is None else first
        if not np.array_equal(first, pixels):
            return False
    return True


def _metadata(found: JpegParts) -> Metadata:
    """What the segments hold, as metadata of the image as it is stored."""
    ratio, dpi = found.density_ratio, found.dpi
    if found.exif and (ratio is None or ratio[0] == ratio[1]):
        dpi = dpi or meta.dpi(found.exif)
        ratio = None if dpi else ratio
    return Metadata(
        icc=found.icc,
        exif=found.exif,
        xmp=found.xmp,
        dpi=dpi,
        native=Native(HOLDS.name, found.native) if found.native else None,
        iptc=found.iptc,
        density_ratio=ratio,
        trailer=found.trailer,
        items=tuple(found.items),
    )


def _encode(job: EncoderInput) -> None:
    metadata = job.metadata
    hdr, xmp = _gain_map(job), metadata.xmp
    if xmp and hdr:
        xmp = xmp_container.with_gain_map_length(xmp, len(hdr))
    segments = _jfif(metadata)
    if metadata.exif:
        segments += packed_series(0xE1, EXIF, metadata.exif)
    if xmp:
        segments += xmp_segments.packed_xmp(xmp)
    if metadata.iptc:
        segments += jpeg_resources.packed_iptc(metadata.iptc)
    if metadata.native:
        segments += metadata.native.data
    if metadata.gain_map and hdr:
        segments += metadata.gain_map.announcement
        segments += packed(0xE2, jpeg_behind.packed_index([0, 0], [0, 0]))
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
    end = job.out.file.seek(0, 2)
    job.out.write(hdr + (metadata.trailer or b""))
    if hdr:
        index_at = 2 + len(segments) - len(jpeg_behind.packed_index([0, 0], [0, 0]))
        start = end - index_at - len(jpeg_behind.MPF)
        job.patch(index_at, jpeg_behind.packed_index([end, len(hdr)], [0, start]))


def _jfif(metadata: Metadata) -> bytes:
    """The first segment, which libvips does not write. Without a resolution: no unit, square pixels."""
    density: tuple[float, float] = metadata.density_ratio or metadata.dpi or (1, 1)
    unit = 1 if metadata.dpi and not metadata.density_ratio else 0
    # The file holds whole numbers: whichever unit makes them so.
    in_cm = density[0] / 2.54, density[1] / 2.54
    if unit and _rounding(in_cm) < _rounding(density) / 10:
        unit, density = 2, in_cm
    across, down = (min(max(round(number), 1), 65535) for number in density)
    return packed(0xE0, struct.pack(">5sHBHHBB", b"JFIF\0", 0x0102, unit, across, down, 0, 0))


def _rounding(density: tuple[float, float]) -> float:
    """The greater of the relative errors if the numbers are rounded."""
    return max(abs(round(number) / number - 1) for number in density)


def _gain_map(job: EncoderInput) -> bytes:
    """The encoded gain map, enlarged as the image is; b"" if there is none."""
    metadata, header = job.metadata, job.header
    if metadata.gain_map is None:
        return b""
    width, height = metadata.size or (header.width, header.height)
    scale = header.width / width, header.height / height
    return gain_map.encoded(metadata.gain_map, scale, job.quality or QUALITY)
