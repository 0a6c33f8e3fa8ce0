"""Input, result and error map, reduced, as PNG inside an HTML file."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.formats.photo.on_disk import decoding_into, rows_of
from hyperacuity.image import Image
from hyperacuity.trust import coloured, legend

# The longest side in pixels.
SIDE = 480


def image_thumbnail(data: Path | bytes) -> str:
    """Returns every n-th row and column of an image file, in colour, as the address of a PNG; alpha is left out."""
    with (
        tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder,
        decoding_into(Path(folder)),
        formats.read(data) as source,
    ):
        image = next(iter(source))
        header = image.header
        step = max(1, -(-max(header.height, header.width) // SIDE))
        kept, start = [], 0
        for rows in rows_of(image) if isinstance(image, Image) else image.rows:
            kept.append(rows[-start % step :: step, ::step, : header.colours].astype(np.float64))
            start += len(rows)
    black, white = header.levels
    levels = np.nan_to_num((np.concatenate(kept) - black) * (255 / (white - black)))
    return _address(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def error_thumbnail(errors: NDArray[np.float32], *, dirty: bool) -> str:
    """Returns an error map in colours with its legend as the address of a PNG.

    Args:
        errors: In grey levels.
        dirty: Whether the input is not clean, which the legend then says.
    """
    colours = coloured(errors)
    return _address(np.concatenate([colours, legend(colours.shape[1], dirty=dirty)]))


def _address(pixels: NDArray[np.uint8]) -> str:
    """The address of an image that holds its own data."""
    with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
        path = Path(folder, "thumbnail.png")
        with formats.write(path, None) as sink:
            sink.write(Image.from_pixels(pixels).strips())
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
