"""Reads as much of a file as measurements need."""

from __future__ import annotations

from pathlib import Path

from hyperacuity import formats
from hyperacuity.formats.content import open_content
from hyperacuity.formats.photo import vips
from hyperacuity.image import Image

# Of larger images only the first rows are decoded: as many as have this many pixels.
MOST = 6_000_000
_LEAST_ROWS = 128


def read_part(data: Path | bytes) -> tuple[Image, tuple[int, int]]:
    """Read the first image of a file, or the first rows of a large one.

    Args:
        data: The path of a file, or the bytes of one.

    Returns:
        The image, and (height, width) of the whole image.

    Raises:
        UsageError, UnsupportedFormat, DamagedFile: As `formats.read` does.
    """
    with formats.read(data) as source:
        part = _first_rows(data)
        if part is not None:
            return part
        image = next(iter(source))
    return image, (image.header.height, image.header.width)


def _first_rows(data: Path | bytes) -> tuple[Image, tuple[int, int]] | None:
    """The first rows of a large image that libvips can decode; None for all others."""
    import pyvips

    # Not by name: libvips takes names for UTF-8, and brackets in them for options. `raw` must outlive the image.
    raw = open_content(data).whole()
    try:
        source = pyvips.Source.new_from_memory(raw)
        whole = pyvips.Image.new_from_source(source, "", access="sequential", revalidate=True)
        rows = max(_LEAST_ROWS, MOST // whole.width)
        if whole.width * whole.height <= MOST or rows >= whole.height:
            return None
        pixels, alpha = vips.pixels_of(whole.crop(0, 0, whole.width, rows))
    except pyvips.Error:
        return None
    return Image.from_pixels(pixels, alpha=alpha), (whole.height, whole.width)
