"""GIF, still and animated: decoded by Pillow, encoded by libvips.

Of Pillow's own 37 odd test files libvips refused one and laid the frames of two others on a background that browsers do
not show.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo import pillow, vips
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.gif_blocks import NAME, blocks, is_transparent, metadata_in, with_metadata
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Image, Item

HOLDS = Capacity(
    name=NAME,
    side=65535,
    alpha=True,
    animated=True,
    grey=False,
    palette=256,
    metadata=dict.fromkeys(("icc", "xmp", "native", "density_ratio"), UNLIMITED),
)


def read(content: Content) -> PhotoSource:
    """Open a GIF file."""
    return open_source(content, ".gif", _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List the blocks of the file besides its images."""
    return metadata_in(content.whole()).items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a GIF file, in 256 colours per frame.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, HOLDS, _encode)


def _contents(raw: Bytes) -> Contents:
    from PIL import GifImagePlugin

    if len(raw) < 13:
        raise DamagedFile("it is cut short inside its header")
    check_size(*struct.unpack("<HH", raw[6:10]))
    found = list(blocks(raw))
    count = sum(block.label is None for block in found)
    transparent = any(is_transparent(raw, block) for block in found)
    if not count:
        raise DamagedFile("it holds no image")
    metadata = metadata_in(raw)
    with pillow.opened(GifImagePlugin.GifImageFile, raw) as head:
        # The file states how often it is played again after the first time; without that, it is played once.
        repeats = head.info.get("loop")
        loop = 1 if repeats is None else repeats + 1 if repeats else 0

    def decode() -> Iterator[Image]:
        with io.BytesIO(bytes(raw)) as file:
            with pillow.guarded():
                image = GifImagePlugin.GifImageFile(file)
            width, height = image.size
            for index in range(count):
                with pillow.guarded():
                    image.seek(index)
                    image.load()
                    # A later frame may reach beyond the canvas, which is where viewers cut it.
                    frame = image if image.size == (width, height) else image.crop((0, 0, width, height))
                    # Convert all frames to one mode: Pillow changes the mode between frames.
                    pixels = np.asarray(frame.convert("RGBA" if transparent else "RGB"))
                    duration = image.info.get("duration", 0) / 1000
                yield upright_image(pixels, transparent, metadata, duration=duration if count > 1 else None)

    return Contents(count, loop if count > 1 else None, True, decode)


def _encode(job: EncoderInput) -> None:
    # A megapixel takes 1.2 s; the default of 7 takes 5.5 s, for an error of 6.1 instead of 7.3.
    vips.joined(job).gifsave_target(vips.target(job), effort=4, keep_duplicate_frames=True, keep=16)
    job.out.file.seek(0)
    data = job.out.file.read()
    whole = with_metadata(data, job.metadata)
    if whole != data:
        job.patch(0, whole)
