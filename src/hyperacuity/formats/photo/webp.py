"""WebP, still and animated: decoded and encoded by libvips; EXIF and XMP are written here."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item, Native

HOLDS = Capacity(
    name="WebP",
    side=16383,
    alpha=True,
    animated=True,
    grey=False,
    metadata=dict.fromkeys(("icc", "exif", "xmp", "native"), UNLIMITED),
)
# The default quality of lossy files.
QUALITY = 95

# Chunks of pixels; those of metadata, each with its name in messages and what carries it.
_STRUCTURE = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF")
_KNOWN: dict[bytes, tuple[str, str | None]] = {
    b"ICCP": ("ICC", "icc"),
    b"EXIF": ("EXIF", "exif"),
    b"XMP ": ("XMP", "xmp"),
    b"C2PA": ("Content Credentials (C2PA)", None),
}

# Backgrounds that encoders write if none is asked for.
_NO_BACKGROUND = (bytes(4), b"\xff\xff\xff\xff", b"\xff\xff\xff\0", b"\0\0\0\xff")


def read(content: Content) -> PhotoSource:
    """Open a WebP file."""
    return open_source(content, ".webp", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels.

    The arguments and errors are those of `formats.protocol.Format.inventory`.
    """
    return _items(content.whole())


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a WebP file: lossless for a quality of 100, and by default if the source was.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    head = vips.loaded("webpload_source", raw, n=-1, fail_on="error")
    count = vips.field(head, "n-pages") or 1
    height = head.height // count
    check_size(head.width, height)
    delays = vips.field(head, "delay") or [0] * count

    def decode() -> Iterator[Image]:
        import pyvips

        image = vips.loaded("webpload_source", raw, n=-1, fail_on="error")
        background = _background(raw)
        native = Native(HOLDS.name, background) if background else None
        metadata = replace(vips.metadata_of(image), native=native, items=_items(raw))
        if count == 1:
            pixels, alpha = vips.pixels_of(image)
            yield upright_image(pixels, alpha, metadata)
            return
        # All frames below one another, of which libvips decodes only the rows that are read.
        region = pyvips.Region.new(image)
        for index in range(count):
            fetched = np.frombuffer(region.fetch(0, index * height, image.width, height), np.uint8)
            pixels = fetched.reshape(height, image.width, image.bands)
            yield upright_image(pixels, image.bands == 4, metadata, duration=delays[index] / 1000)

    loop = vips.field(head, "loop") or 0
    return Contents(count, loop if count > 1 else None, _is_lossless(raw), decode)


def _end(raw: Bytes) -> int:
    """Where the file ends by its header."""
    return min(8 + int(struct.unpack("<I", raw[4:8])[0]), len(raw))


def _chunks(raw: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each chunk; a frame of an animation is followed by the chunks in it."""
    at, end = 12, _end(raw)
    while at + 8 <= end:
        kind, length = struct.unpack("<4sI", raw[at : at + 8])
        yield kind, at + 8, min(at + 8 + length, end)
        # The chunks of a frame start behind 16 bytes.
        at += 24 if kind == b"ANMF" else 8 + length + length % 2


def _is_lossless(raw: Bytes) -> bool:
    """Whether no frame is stored with loss (VP8)."""
    return all(kind != b"VP8 " for kind, _, _ in _chunks(raw))


def _background(raw: Bytes) -> bytes:
    """The background colour of an animation; b"" if it is black or white and transparent or none is stated."""
    for kind, start, end in _chunks(raw):
        if kind == b"ANIM" and end - start >= 4:
            colour = bytes(raw[start : start + 4])
            return b"" if colour in _NO_BACKGROUND else colour
    return b""


def _items(raw: Bytes) -> tuple[Item, ...]:
    """Everything besides the pixels; chunks that are not known are named."""
    items: dict[bytes, Item] = {}
    for kind, start, end in _chunks(raw):
        if kind in _STRUCTURE or start == end:
            continue
        if kind in items:
            if kind in _KNOWN:
                items[kind + b"2"] = Item(f"chunk second {items[kind].label}", f"second {items[kind].label}")
            continue
        label, carrier = _KNOWN.get(kind, (f"chunk {kind.decode('latin-1')!r}", None))
        items[kind] = Item(f"chunk {kind.decode('latin-1').rstrip()}", label, carrier)
    if _background(raw):
        items[b"ANIM"] = Item("chunk ANIM", "background colour", "native")
    behind = bytes(raw[_end(raw) :])
    if behind.strip(b"\0"):
        items[b"behind"] = Item("behind the image", f"{len(behind)} unknown bytes behind the image")
    return tuple(items.values())


def _encode(job: EncoderInput) -> None:
    lossless = job.lossless if job.quality is None else job.quality == 100
    image = vips.joined(job)
    image.webpsave_target(vips.target(job), Q=job.quality or QUALITY, lossless=lossless, exact=True, keep=8 | 16)
    if job.metadata.native:
        job.out.file.seek(0)
        at = next((start for kind, start, _ in _chunks(job.out.file.read(1 << 21)) if kind == b"ANIM"), None)
        if at is not None:
            job.patch(at, job.metadata.native.data)
    _add_metadata(job)


def _add_metadata(job: EncoderInput) -> None:
    """Append EXIF and XMP to the finished file, and announce them in its header."""
    exif, xmp = job.metadata.exif, job.metadata.xmp
    extra = b""
    for kind, content in ((b"EXIF", exif), (b"XMP ", xmp)):
        if content:
            extra += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    if not extra:
        return
    job.out.file.seek(0)
    head = job.out.file.read(30)
    flags = (8 if exif else 0) | (4 if xmp else 0)
    if head[12:16] == b"VP8X":
        job.patch(20, bytes([head[20] | flags]))
    else:
        # A simple file has one chunk: insert a header that announces the others.
        job.out.file.seek(12)
        body = job.out.file.read()
        flags |= 16 if head[12:16] == b"VP8L" and head[24] & 16 else 0
        size = struct.pack("<I", job.header.width - 1)[:3] + struct.pack("<I", job.header.height - 1)[:3]
        job.patch(12, b"VP8X" + struct.pack("<IB3x", 10, flags) + size + body)
    job.out.file.seek(0, 2)
    job.out.write(extra)
    job.patch(4, struct.pack("<I", job.out.file.seek(0, 2) - 8))
