"""PNG, still and animated, with 8 and 16 bits: decoded and encoded by libvips; metadata are read and written here."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.png_chunks import NAME, with_end
from hyperacuity.formats.photo.png_frames import Joiner, composed, parse_animation
from hyperacuity.formats.photo.png_metadata import chunks_of, metadata_in
from hyperacuity.formats.photo.png_stream import Inserter
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, LossWarning, Source
from hyperacuity.image import Image, Item

HOLDS = Capacity(
    name=NAME,
    depths=(8, 16),
    # libvips makes no wider or higher image.
    side=100_000_000,
    alpha=True,
    animated=True,
    metadata=dict.fromkeys(
        ("icc", "exif", "xmp", "iptc", "dpi", "density_ratio", "native", "colour", "colour.range"), UNLIMITED
    ),
)


def read(content: Content) -> PhotoSource:
    """Open a PNG file."""
    return open_source(content, ".png", partial(_contents, strict=content.strict))


def inventory(content: Content) -> tuple[Item, ...]:
    """List the chunks of the file besides its pixels."""
    raw = content.whole()
    return metadata_in(with_end(raw) or raw)[0].items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a PNG file.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode, follows=True)


def _contents(raw: Bytes, *, strict: bool) -> Contents:
    ended = None if strict else with_end(raw)
    raw = raw if ended is None else ended
    if len(raw) < 33:
        raise DamagedFile("it is cut short inside its header")
    if zlib.crc32(raw[12:29]) != struct.unpack(">I", raw[29:33])[0]:
        raise DamagedFile("the checksum of its header is wrong")
    check_size(*struct.unpack(">II", raw[16:24]))
    animation = parse_animation(raw)
    head = vips.loaded("pngload_source", raw, fail_on="error")
    metadata, damaged_xmp = metadata_in(raw)
    exif = metadata.exif
    icc = vips.field(head, "icc-profile-data") or metadata.icc
    dpi = metadata.dpi or (meta.dpi(exif) if exif else None)
    losses = [] if ended is None else ["its end marker is missing; all its pixels are there"]
    items = metadata.items
    if icc is None and any(item.carrier == "icc" for item in items):  # libpng ignores it without a warning
        losses.append(meta.MISFIT)
        items = tuple(item for item in items if item.carrier != "icc")
    if damaged_xmp:
        losses.append("the XMP packet is damaged and is left out")
    ratio = metadata.density_ratio
    if dpi and ratio and ratio[0] == ratio[1]:
        ratio = None
    metadata = replace(metadata, icc=icc, dpi=dpi, density_ratio=ratio, items=items)

    def still() -> Iterator[Image]:
        pixels, alpha = vips.pixels_of(vips.loaded("pngload_source", raw, fail_on="error"))
        for loss in losses:
            warnings.warn(LossWarning(loss), stacklevel=2)
        yield upright_image(pixels, alpha, metadata)

    if animation is None:
        return Contents(1, None, True, still)
    several = animation.frames[1:] != []
    moving = animation

    def frames() -> Iterator[Image]:
        for loss in losses:
            warnings.warn(LossWarning(loss), stacklevel=2)
        for pixels, alpha, delay in composed(moving, raw):
            yield upright_image(pixels, alpha, metadata, duration=delay if several else None)

    return Contents(len(moving.frames), moving.plays if several else None, True, frames)


def _options() -> dict[str, Any]:
    """Options for libvips' encoder."""
    # 4.6 megapixels of photo: level 1 takes 0.23 s and 10673 kB, level 3 0.27 s and 7189, level 6 0.37 s and 7093.
    return {"compression": 3, "filter": "all", "keep": "icc"}


def _encode(job: EncoderInput) -> None:
    metadata = chunks_of(job.metadata, job.header)
    if len(job.pages) > 1:
        joiner = Joiner(len(job.pages), job.loop, metadata)
        for index, page in enumerate(job.pages):
            single = replace(job, pages=[page], page_metadata=[job.page_metadata[index]])
            png = vips.joined(single).pngsave_buffer(**_options())
            job.out.write(joiner.add(png, page.header.duration or 0))
        job.out.write(joiner.end())
    else:
        Inserter(job.out, metadata).encode(lambda target: vips.joined(job).pngsave_target(target, **_options()))
