"""AVIF: libvips (libheif) decodes and encodes images, with 8, 10 or 12 bits; Pillow decodes animations."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import pillow, vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.heif_metadata import HeifContents, contents_of, with_metadata
from hyperacuity.formats.photo.heif_pixels import bits_of, contents_from, image_of
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item

HOLDS = Capacity(
    name="AVIF",
    depths=(8, 12),
    side=16384,
    alpha=True,
    levels=True,
    grey=False,
    lossy=True,
    metadata=dict.fromkeys(("icc", "exif", "xmp", "colour", "colour.light", "density_ratio"), UNLIMITED),
)
# The default quality.
QUALITY = 80

# The brand of files with an image sequence.
_SEQUENCE = b"avis"


def read(content: Content) -> PhotoSource:
    """Open an AVIF file; the copy of an animated one is a WebP, since no encoder for it is installed."""
    return open_source(content, ".webp" if content.head[8:12] == _SEQUENCE else ".avif", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its main image."""
    return _described(content.whole()).metadata.items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for an AVIF file; chroma is not subsampled.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    if raw[8:12] == _SEQUENCE:
        return _animation(raw)
    return contents_from(raw)


def _described(raw: Bytes) -> HeifContents:
    """What a file says besides its pixels; the sequence of an animation is not listed, since its frames are read."""
    found = contents_of(raw)
    if raw[8:12] != _SEQUENCE:
        return found
    items = tuple(item for item in found.metadata.items if item.key != "box moov")
    return replace(found, metadata=replace(found.metadata, items=items))


def _animation(raw: Bytes) -> Contents:
    """The contents of a file with an image sequence; Pillow reads those of 8 bits."""
    from PIL import AvifImagePlugin, features

    at = raw.find(b"av1C")
    deep = at >= 0 and raw[at + 6] & 0x40
    if deep or not features.check("avif"):
        reason = " with more than 8 bits" if deep else ""
        raise UnsupportedFormat(f"it is an animated AVIF{reason}; convert it to WebP or a video first")
    found = _described(raw)
    for size in found.sizes:
        check_size(*size)
    with pillow.opened(AvifImagePlugin.AvifImageFile, raw) as head:
        check_size(*head.size)
        count: int = head.n_frames

    def decode() -> Iterator[Image]:
        with io.BytesIO(bytes(raw)) as file:
            with pillow.guarded():
                image = AvifImagePlugin.AvifImageFile(file)
            for index in range(count):
                with pillow.guarded():
                    image.seek(index)
                    image.load()
                    pixels, alpha = pillow.pixels_of(image)
                    duration = image.info.get("duration", 0) / 1000
                yield image_of(pixels, alpha, 8, found, duration=duration if count > 1 else None)

    return Contents(count, 0 if count > 1 else None, False, decode)


# How libheif turns RGB into what it encodes (MatrixCoefficients of H.273), and the codes it writes into the stream.
_MATRIX = 6
_DEFAULT_CODES = (1, 13, _MATRIX)


def _encode(job: EncoderInput) -> None:
    image = vips.joined(job)
    bits = bits_of(job.header, 12)
    white, largest = job.header.levels[1], (1 << bits) - 1
    shift = 16 - bits if bits > 8 else 0
    if white != largest << shift:
        # libvips cuts 16 bits to 10 or 12; these are rounded.
        image = (image * (largest / white) + 0.5).cast("ushort" if shift else "uchar")
        image = (image << shift).copy(interpretation="rgb16") if shift else image.copy(interpretation="srgb")
    image.heifsave_target(
        vips.target(job),
        compression="av1",
        Q=job.quality or QUALITY,
        bitdepth=bits,
        # 4.6 megapixels: 2.8 s; the default of 4 takes 12.6 s and saves a quarter.
        effort=2,
        subsample_mode="off",
        # libvips would make an EXIF block with a resolution that the image does not have.
        keep="icc",
    )
    job.out.file.seek(0)
    data = job.out.file.read()
    whole = with_metadata(_with_codes(data, job), job.metadata, _MATRIX)
    if whole != data:
        job.out.file.seek(0)
        job.out.write(whole)


def _with_codes(data: bytes, job: EncoderInput) -> bytes:
    """The file with its colour in the AV1 stream too, which players of videos read instead of the container."""
    colour = job.metadata.colour
    at = data.find(b"mdat") + 4
    if colour is None or (colour.primaries, colour.transfer) == (2, 2) or data[at + 2] >> 3 & 15 != 1:
        return data
    # A temporal delimiter of two bytes, then the sequence header, where the codes are not aligned to bytes.
    end = at + 4 + data[at + 3]
    head = int.from_bytes(data[at + 4 : end])
    width = 8 * (end - at - 4)
    default = int.from_bytes(bytes(_DEFAULT_CODES))
    for shift in range(width - 24, -1, -1):
        if head >> shift & 0xFFFFFF == default:
            codes = int.from_bytes(bytes((colour.primaries, colour.transfer, _MATRIX)))
            head += (codes - default) << shift
            return data[: at + 4] + head.to_bytes(end - at - 4) + data[end:]
    return data
