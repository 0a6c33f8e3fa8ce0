"""Image files of a data set: found, read as 8 bits, measured and fingerprinted."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, formats
from hyperacuity.errors import UsageError

Pixels8 = NDArray[np.uint8]


def files(folders: Iterable[Path]) -> list[Path]:
    """Find all images below `folders`.

    Returns:
        The paths, sorted within each folder.

    Raises:
        UsageError: For a folder without images.
    """
    found = []
    for folder in folders:
        below = sorted(path for path in folder.rglob("*") if path.is_file() and formats.readable(path))
        if not below:
            raise UsageError(f"no images in {folder.absolute()}: name folders with PNG, JPEG, WebP or TIFF files")
        found += below
    return found


def read_image(path: Path) -> Pixels8:
    """Read the first frame of a file, without its alpha.

    Returns:
        (H, W, 3) uint8, or (H, W, 1) for a grey image.
    """
    with formats.read(path) as source:
        image = next(iter(source))
    return image.to_8bit()[..., : image.header.colours]


def header_shape(path: Path) -> tuple[int, int]:
    """Read the (height, width) of a file from its header, before its orientation is applied, without its pixels."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(path) as opened:
                return opened.height, opened.width
    except (OSError, PIL.Image.DecompressionBombError):
        height, width, _ = read_image(path).shape  # a format that Pillow does not know
        return height, width


def luma(pixels: Pixels8) -> Pixels8:
    """Convert (H, W, C) to (H, W) studio-range luma; the grey of a grey image is its luma, as in the papers' tables."""
    return pixels[..., 0] if pixels.shape[-1] == 1 else colour.luma8(pixels)


def to_channels(pixels: Pixels8, channels: int) -> Pixels8:
    """Convert (H, W, C) to the channels of a network: 1 for luma, 3 for RGB."""
    if channels == 1:
        return luma(pixels)[..., None]
    return pixels if pixels.shape[-1] == 3 else pixels.repeat(3, axis=-1)


def fingerprint(paths: Iterable[Path]) -> str:
    """Compute twelve hex digits over the content of all files, in order, by which a card identifies training data."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
