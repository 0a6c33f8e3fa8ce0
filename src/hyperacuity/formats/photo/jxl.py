"""JPEG XL: decoded and encoded by imagecodecs (libjxl), an extra; boxes of metadata are read and written here.

Of the bindings of libjxl in 2026 only imagecodecs keeps 16 bits; it has no access to ICC profiles, whose loss is named.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, MissingDependency, UnsupportedFormat
from hyperacuity.formats.boxes import boxes
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import pillow
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.heif_pixels import unmultiplied
from hyperacuity.formats.photo.jxl_header import SIGNATURE, JxlHeader, parse_header, with_colour
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.stated_colour import is_srgb
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.photo.xmp import NAMESPACES
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item, Metadata, StatedColour

HOLDS = Capacity(
    name="JPEG XL",
    depths=(8, 16, 32),
    alpha=True,
    levels=True,
    metadata=dict.fromkeys(("exif", "xmp", "colour", "colour.gamma"), UNLIMITED),
)
# The default quality of lossy files.
QUALITY = 90

_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
# The start of files with boxes: the signature, and the brand.
_HEAD = _CONTAINER + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_STRUCTURE = frozenset({b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxll", b"jxli", b"jbrd", b"free"})


def read(content: Content) -> PhotoSource:
    """Open a JPEG XL file.

    Raises:
        MissingDependency: If imagecodecs is not installed.
    """
    _library(f"{content.name} is a JPEG XL image")
    return open_source(content, ".jxl", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List the boxes of the file besides its pixels."""
    raw = content.whole()
    return _metadata(raw, parse_header(_codestream(raw))).items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a JPEG XL file: lossless for a quality of 100, and by default if the source was.

    The arguments and errors are those of `formats.protocol.Format.write`.

    Raises:
        MissingDependency: If imagecodecs is not installed.
    """
    _library(f"{path} names a JPEG XL image")
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _library(what: str) -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise MissingDependency(f"{what}, which needs imagecodecs: pip install 'hyperacuity[jxl]'") from error
    return imagecodecs


def _codestream(raw: Bytes) -> bytes:
    """The beginning of the codestream, which may lie in several boxes."""
    if raw[:2] == SIGNATURE:
        return bytes(raw[:4096])
    parts = [
        bytes(raw[box.start + 4 * (box.kind == b"jxlp") : box.end])
        for box in boxes(raw)
        if box.kind in (b"jxlc", b"jxlp")
    ]
    return b"".join(parts)[:4096]


def _contents(raw: Bytes) -> Contents:
    head = parse_header(_codestream(raw))
    check_size(head.width, head.height)
    if head.extras:
        raise UnsupportedFormat(f"it has extra channels ({', '.join(head.extras)}); export it without them")
    metadata = _metadata(raw, head)

    def decode() -> Iterator[Image]:
        import imagecodecs

        with pillow.guarded():
            pixels = imagecodecs.jpegxl_decode(bytes(raw))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if pixels.shape[2] not in (1, 2, 3, 4) or pixels.shape[0] * pixels.shape[1] != head.width * head.height:
            raise DamagedFile("its pixels are not those that its header announces")
        pixels = pixels.astype(np.float32) if pixels.dtype.kind == "f" else pixels
        white = 1 if pixels.dtype.kind == "f" else (1 << min(head.bits, 16)) - 1
        if head.premultiplied and pixels.dtype.kind == "u":
            pixels = unmultiplied(pixels, white)
        # The decoder turns the image as the codestream says; EXIF's orientation is to be ignored.
        alpha = pixels.shape[2] in (2, 4)
        yield upright_image(pixels, alpha, metadata, orientation=1, levels=(0, white))

    return Contents(1, None, False, decode)


def _metadata(raw: Bytes, head: JxlHeader) -> Metadata:
    """EXIF, XMP and colour, with a list of all items."""
    metadata = Metadata()
    items: list[Item] = []
    for box in boxes(raw) if raw[:2] != SIGNATURE else ():
        kind, content = box.kind, bytes(raw[box.start : box.end])
        if kind == b"brob":
            kind, content = content[:4], _inflated(content[4:])
        name = kind[:4].decode("latin-1").rstrip()
        if kind == b"Exif" and metadata.exif:
            items.append(Item("box second Exif", "second EXIF"))
        elif kind == b"Exif":
            block = meta.unprefixed(content[4 + int.from_bytes(content[:4]) :])
            metadata = replace(metadata, exif=block or None, dpi=meta.dpi(block) if block else None)
            items.append(Item("box Exif", "EXIF", "exif"))
        elif kind == b"xml " and _is_packet(content) and metadata.xmp:
            items.append(Item("box second xml", "second XMP"))
        elif kind == b"xml " and _is_packet(content):
            metadata = replace(metadata, xmp=content)
            items.append(Item("box xml", "XMP", "xmp"))
        elif kind == b"jhgm":
            items.append(Item("box jhgm", "gain map (ISO 21496-1)"))
        elif kind == b"jumb":
            items.append(Item("box jumb", "C2PA manifest" if b"c2pa" in content[:64] else "JUMBF"))
        elif kind not in _STRUCTURE:
            items.append(Item(f"box {name}", f"box {name!r}"))
    if head.profile:
        items.append(Item("codestream ICC", "ICC profile"))
    elif head.colour is not None:
        metadata = replace(metadata, colour=head.colour)
        items.append(Item("codestream colour", "colour codes", "colour"))
    return replace(metadata, items=tuple(items))


def _is_packet(content: bytes) -> bool:
    """Whether XML is an XMP packet: by its namespaces, since its prefixes may be any."""
    return any(NAMESPACES[prefix].encode() in content for prefix in ("x", "rdf"))


def _inflated(packed: bytes) -> bytes:
    """A box compressed by Brotli; b"" if it is damaged."""
    try:
        import imagecodecs

        return bytes(imagecodecs.brotli_decode(packed))
    except (ImportError, RuntimeError, ValueError):
        return b""


def _encode(job: EncoderInput) -> None:
    import imagecodecs

    header = job.header
    pixels = np.concatenate(list(job.pages[0].bands()))
    colour = job.metadata.colour or StatedColour(1, 13)
    # The encoder takes 8 bits for sRGB and others for linear: only without loss can the statement be replaced.
    lossless = job.quality == 100 or (job.quality is None and job.lossless)
    lossless |= header.dtype != np.uint8 or not is_srgb(colour)
    quality = job.quality or QUALITY
    # The distance that libjxl gives to a quality of JPEG.
    distance = 0.1 + (100 - quality) * 0.09 if quality >= 30 else 53 / 3000 * quality**2 - 23 / 20 * quality + 25
    bits = int(header.levels[1]).bit_length() if header.dtype.kind == "u" else None
    encoded = imagecodecs.jpegxl_encode(
        pixels[..., 0] if header.channels == 1 else pixels,
        lossless=lossless,
        distance=None if lossless else distance,
        bitspersample=bits,
        usecontainer=False,
    )
    codestream = bytes(encoded)
    if codestream.startswith(_CONTAINER):
        # Some depths need a level that only the container can state.
        codestream = b"".join(codestream[box.start : box.end] for box in boxes(codestream) if box.kind == b"jxlc")
    if lossless:
        codestream = with_colour(codestream, colour)
    exif, xmp = job.metadata.exif, job.metadata.xmp
    level = _box(b"jxll", b"\x0a") if header.dtype != np.uint8 else b""
    if not exif and not xmp and not level:
        job.out.write(codestream)
        return
    data = _HEAD + level + _box(b"jxlc", codestream)
    data += _box(b"Exif", b"\0\0\0\0" + exif) if exif else b""
    data += _box(b"xml ", xmp) if xmp else b""
    job.out.write(data)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
