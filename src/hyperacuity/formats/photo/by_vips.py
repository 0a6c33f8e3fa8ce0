"""JPEG, PNG, WebP, AVIF and TIFF, which libvips decodes exactly: 16 bits, 10 and 12 bits of AVIF, float TIFF."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import png
from hyperacuity.formats.photo.by_pillow import tiff_page
from hyperacuity.formats.photo.decoding import (
    Bytes,
    Contents,
    assembled,
    check_size,
    field,
    loaded,
    metadata_of,
    pixels_of,
)
from hyperacuity.formats.photo.tiff import Directory, Tiff
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import Array, Image, Metadata

MISFIT = "the ICC profile is damaged or not for such pixels (grey or colour) and is left out"

# The tag that makes a TIFF a DNG.
_DNG = 50706
# Markers of JPEG's segments, and how Photoshop's begins.
_SCAN, _COMMENT, _PHOTOSHOP = 0xDA, 0xFE, 0xED
_PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
# What libjpeg says of files that hold every pixel all the same.
_HARMLESS = re.compile(
    r"extraneous bytes before marker|Invalid SOS parameters|unknown JFIF revision|Unknown Adobe color"
)


def jpeg_contents(raw: Bytes) -> Contents:
    import pyvips

    def decode() -> Iterator[Image]:
        try:
            image = loaded("jpegload_source", raw, fail_on="warning")
            pixels, alpha = pixels_of(image)
        except pyvips.Error as error:
            lines = str(error).splitlines()[1:]
            if not lines or not all(_HARMLESS.search(line) for line in lines if line.strip()):
                raise
            image = loaded("jpegload_source", raw, fail_on="error")
            pixels, alpha = pixels_of(image)
        metadata = metadata_of(image)
        dpi = _jfif_dpi(raw) or metadata.dpi
        yield assembled(pixels, alpha, replace(metadata, dpi=dpi, segments=_own_segments(raw)))

    head = loaded("jpegload_source", raw, fail_on="error")
    check_size(head.width, head.height)
    return Contents(1, None, False, decode)


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
    for marker, start, end in _segments(raw):
        if marker == 0xE0 and end - start >= 16 and raw[start + 4 : start + 9] == b"JFIF\0":
            unit, across, down = struct.unpack(">BHH", raw[start + 11 : start + 16])
            if unit in (1, 2) and across and down:
                factor = 2.54 if unit == 2 else 1.0
                return across * factor, down * factor
    return None


def _own_segments(raw: Bytes) -> bytes:
    """Comments and IPTC, which Photoshop's block holds beside much that is no longer true of a larger picture."""
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


def png_contents(raw: Bytes) -> Contents:
    if len(raw) < 33:
        raise DamagedFile("it is cut short inside its header")
    if zlib.crc32(raw[12:29]) != struct.unpack(">I", raw[29:33])[0]:
        raise DamagedFile("the check sum of its header is wrong")
    check_size(*struct.unpack(">II", raw[16:24]))
    animation = png.animation(raw)
    head = loaded("pngload_source", raw, fail_on="error")
    metadata = png.found(raw)
    exif = meta.unprefixed(metadata.exif) if metadata.exif else None
    icc = field(head, "icc-profile-data")
    dpi = metadata.dpi or (meta.dpi(exif) if exif else None)
    losses = []
    if icc is None and raw.find(b"iCCP", 33, raw.find(b"IDAT")) > 0:  # refused by libpng, without a word
        losses.append(MISFIT)
    if metadata.xmp == b"":
        losses.append("the XMP packet is damaged and is left out")
    metadata = replace(metadata, icc=icc, exif=exif, xmp=metadata.xmp or None, dpi=dpi)

    def still() -> Iterator[Image]:
        for loss in losses:
            warnings.warn(LossWarning(loss), stacklevel=2)
        pixels, alpha = pixels_of(loaded("pngload_source", raw, fail_on="error"))
        yield assembled(pixels, alpha, metadata)

    if animation is None:
        return Contents(1, None, True, still)
    several = animation.frames[1:] != []
    moving = animation

    def frames() -> Iterator[Image]:
        for loss in losses:
            warnings.warn(LossWarning(loss), stacklevel=2)
        for pixels, alpha, delay in _composed(moving, raw):
            yield assembled(pixels, alpha, metadata, duration=delay if several else None)

    return Contents(len(moving.frames), moving.plays if several else None, True, frames)


def _composed(animation: png.Animation, raw: Bytes) -> Iterator[tuple[Array, bool, float]]:
    """The canvas after each frame, whether it has alpha, and how long it stays."""
    canvas: Array | None = None
    for frame in animation.frames:
        single = animation.png(raw, frame)
        pixels, alpha = pixels_of(loaded("pngload_source", single, fail_on="error"))
        white = np.iinfo(pixels.dtype).max
        if not alpha and any(each.dispose == 1 for each in animation.frames):
            # What a frame leaves transparent can only be said with alpha.
            pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], white)], axis=2)
            alpha = True
        if canvas is None:
            canvas = np.zeros((animation.height, animation.width, pixels.shape[2]), pixels.dtype)
        box = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        before = box.copy() if frame.dispose == 2 else None
        box[:] = _over(pixels, box, white) if frame.blend and alpha else pixels
        yield canvas.copy(), alpha, frame.delay
        if frame.dispose == 1:
            box[:] = 0
        elif before is not None:
            # The first frame has nothing before it: the specification makes it transparent.
            box[:] = before


def _over(top: Array, below: Array, white: int) -> Array:
    """One picture laid over another; both with alpha last, not premultiplied."""
    above = top[..., -1:].astype(np.float64) / white
    under = below[..., -1:].astype(np.float64) / white * (1 - above)
    total = above + under
    colours = (top[..., :-1] * above + below[..., :-1] * under) / np.where(total, total, 1)
    return np.floor(np.concatenate([colours, total * white], axis=2) + 0.5).astype(top.dtype)


def webp_contents(raw: Bytes) -> Contents:
    head = loaded("webpload_source", raw, n=-1, fail_on="error")
    count = field(head, "n-pages") or 1
    height = head.height // count
    check_size(head.width, height)
    delays = field(head, "delay") or [0] * count

    def decode() -> Iterator[Image]:
        import pyvips

        image = loaded("webpload_source", raw, n=-1, fail_on="error")
        if count == 1:
            pixels, alpha = pixels_of(image)
            yield assembled(pixels, alpha, metadata_of(image))
            return
        # All frames below one another, of which libvips decodes only what is fetched.
        region = pyvips.Region.new(image)
        for index in range(count):
            fetched = np.frombuffer(region.fetch(0, index * height, image.width, height), np.uint8)
            pixels = fetched.reshape(height, image.width, image.bands)
            yield assembled(pixels, image.bands == 4, metadata_of(image), duration=delays[index] / 1000)

    lossless = _vp8_lossless(raw)
    return (
        Contents(count, field(head, "loop") or 0, lossless, decode)
        if count > 1
        else Contents(1, None, lossless, decode)
    )


def _vp8_lossless(raw: Bytes) -> bool:
    """Whether no frame of a WebP file is lossy."""
    at, end = 12, len(raw)
    while at + 8 <= end:
        kind, length = struct.unpack("<4sI", raw[at : at + 8])
        if kind == b"VP8 ":
            return False
        # A frame of an animation holds chunks itself, behind 16 bytes.
        at += 24 if kind == b"ANMF" else 8 + length + length % 2
    return True


def avif_contents(raw: Bytes) -> Contents:
    if raw[8:12] == b"avis":
        raise UnsupportedFormat("it is an animated AVIF; convert it to WebP or a video first")
    # The sizes as the file announces them, before libheif believes them.
    for size in re.finditer(rb"ispe\0{4}(.{8})", raw[:65536], re.DOTALL):
        check_size(*struct.unpack(">II", size[1]))
    head = loaded("heifload_source", raw, fail_on="error")
    check_size(head.width, head.height)
    bits = field(head, "bits-per-sample") or 8

    def decode() -> Iterator[Image]:
        image = loaded("heifload_source", raw, fail_on="error")
        pixels, alpha = pixels_of(image)
        # libvips shifts 10 and 12 bits to the top of 16, so white is not 65535.
        levels = (0, ((1 << bits) - 1) << (16 - bits)) if pixels.dtype == np.uint16 else None
        # The file's own rotation is applied by the decoder, and EXIF's is to be ignored (MIAF, 7.3.6.7).
        yield assembled(pixels, alpha, metadata_of(image), orientation=1, levels=levels)

    return Contents(1, None, False, decode)


def tiff_contents(raw: Bytes) -> Contents:
    tiff = Tiff(raw)
    # Reduced copies of a page are previews, which would be stale beside the upscaled one.
    directories = tiff.directories()
    pages = [(at, page) for at, page in enumerate(directories) if not tiff.integer(page, 254, 0) & 1]
    if not pages and any(_DNG in page for page in directories):
        raise UnsupportedFormat("it is a raw photo (DNG): develop it into a TIFF first")
    if not pages:
        raise DamagedFile("it has no page")
    for _, page in pages:
        check_size(tiff.integer(page, 256, 0), tiff.integer(page, 257, 0))
        _check_whole(tiff, page)

    def decode() -> Iterator[Image]:
        for number, page in pages:
            if _beyond_vips(tiff, page):
                pixels, alpha, beside, levels = tiff_page(raw, number, max(tiff.integers(page, 258) or (1,)))
                metadata, _ = _page_metadata(tiff, page, beside)
                # Pillow turns pages while it decodes them.
                yield assembled(pixels, alpha, metadata, orientation=1, levels=levels)
            else:
                yield _tiff_by_vips(raw, tiff, page, number)

    lossless = not any(tiff.integer(page, 259, 1) in (6, 7) for _, page in pages)
    return Contents(len(pages), None, lossless, decode)


def _check_whole(tiff: Tiff, page: Directory) -> None:
    """Refuse what is cut short: libtiff fills what is missing with black and only warns."""
    bits = tiff.integer(page, 258, 1) * tiff.integer(page, 277, 1)
    # Uncompressed pixels are never longer than this, whatever a careless writer claimed.
    most = (tiff.integer(page, 256, 0) * bits + 7) // 8 * tiff.integer(page, 257, 0)
    bare = tiff.integer(page, 259, 1) == 1 and 324 not in page
    for where, size in ((273, 279), (324, 325)):
        places, sizes = tiff.integers(page, where), tiff.integers(page, size)
        for place, length in zip(places, sizes, strict=False):
            end = place + (min(length, most) if bare else length)
            if end > len(tiff.data):
                raise DamagedFile(f"it is cut short: its pixels end at byte {end} of {len(tiff.data)}")


def _beyond_vips(tiff: Tiff, page: Directory) -> bool:
    bits = tiff.integers(page, 258) or (1,)
    separate_tiles = 324 in page and tiff.integer(page, 284, 1) == 2 and len(bits) > 1
    return (
        separate_tiles
        or 262 not in page
        or tiff.integer(page, 262, 0) in (8, 9)  # Lab
        or tiff.integer(page, 259, 1) in (6, 34925)  # old JPEG, LZMA
        or bits[0] not in (1, 2, 4, 8, 16, 32, 64)
    )


def _page_metadata(tiff: Tiff, page: Directory, image: Metadata) -> tuple[Metadata, int]:
    orientation = tiff.integer(page, 274, 1)
    try:
        exif = meta.from_page(tiff, page)
    except DamagedFile as error:
        warnings.warn(LossWarning(f"the EXIF block is damaged and is left out: {error}"), stacklevel=2)
        exif = None
    return replace(image, exif=exif, dpi=tiff.dpi(page)), orientation if 1 <= orientation <= 8 else 1


def _tiff_by_vips(raw: Bytes, tiff: Tiff, page: Directory, number: int) -> Image:
    image = loaded("tiffload_source", raw, page=number, fail_on="error")
    pixels, alpha = pixels_of(image)
    extra = tiff.integers(page, 338)
    if alpha and extra[:1] == (0,) and image.interpretation != "cmyk":
        warnings.warn(LossWarning("the file does not say what its last channel is; it is left out"), stacklevel=2)
        pixels, alpha = pixels[..., :-1], False
    metadata, orientation = _page_metadata(tiff, page, metadata_of(image))
    return assembled(pixels, alpha, metadata, orientation=orientation)
