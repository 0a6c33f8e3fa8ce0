"""Image files of a data set: found, read as 8 bits, measured and fingerprinted."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, formats
from hyperacuity.counting import counted
from hyperacuity.errors import (
    DamagedFile,
    HyperacuityError,
    HyperacuityWarning,
    MissingDependency,
    UnsupportedFormat,
    UsageError,
)
from hyperacuity.formats.expected import Expected, classify, is_foreign, walk

Pixels8 = NDArray[np.uint8]
# What reading a file raises if it is damaged, or not of a format that is read here.
UNREADABLE = (DamagedFile, UnsupportedFormat, MissingDependency)
# How many of the files that are left out a warning names.
_NAMED = 5


class LeftOutWarning(HyperacuityWarning):
    """Files in a folder of images are not used; the warning names them."""


@dataclass(frozen=True)
class LeftOut:
    """A file in a folder of images that is not used.

    Attributes:
        path: The file.
        error: Why it cannot be read.
    """

    path: Path
    error: HyperacuityError

    @property
    def reason(self) -> str:
        """The message of the error, without the list of formats that are read."""
        return self.error.message.partition("; what is read: ")[0]


def list_images(folder: Path) -> list[Path]:
    """List all images below a folder by their names, sorted, without opening them.

    Images of formats that are not read are among them, so that they can be named; see `formats.expected`.

    Raises:
        UsageError: For a folder without images.
    """
    expected = (Expected.IMAGE, Expected.FOREIGN_IMAGE)
    below = sorted(path for path in walk(folder, recursive=True) if path.is_file() and classify(path) in expected)
    if not below:
        raise UsageError(f"no images in {folder.absolute()}: name folders with PNG, JPEG, WebP or TIFF files")
    return below


def files(folders: Iterable[Path]) -> list[Path]:
    """Find all images below `folders` whose headers can be read.

    Returns:
        The paths, sorted within each folder.

    Raises:
        UsageError: For a folder without images, or without one that can be read.

    Warns:
        LeftOutWarning: If headers cannot be read.
    """
    found, left_out = [], []
    for folder in folders:
        readable, unreadable = split_readable(list_images(folder))
        check_any_left(readable, unreadable, folder)
        found += readable
        left_out += unreadable
    warn_left_out(left_out)
    return found


def split_readable(paths: Iterable[Path]) -> tuple[list[Path], list[LeftOut]]:
    """Read the header of each file. Returns the files that can be read so far, and those that cannot."""
    readable, left_out = [], []
    for path in paths:
        error = find_error(path)
        if error is None:
            readable.append(path)
        else:
            left_out.append(LeftOut(path, error))
    return readable, left_out


def find_error(path: Path) -> HyperacuityError | None:
    """Read the header of a file. Returns why it cannot be read, or None."""
    try:
        if is_foreign(path):  # Pillow opens some of them
            with formats.read(path):
                pass
        header_shape(path)
    except HyperacuityError as error:
        return error
    return None


def check_any_left(left: Sized, left_out: Sequence[LeftOut], folder: Path) -> None:
    """Raise `UsageError` if nothing is left of a folder."""
    if not left and left_out:
        count = f"none of the {len(left_out)} images" if len(left_out) > 1 else "the only image"
        verb = "can" if len(left_out) > 1 else "cannot"
        raise UsageError(f"{count} in {folder} {verb} be read: {left_out[0].reason}", *left_out[0].error.cures)


def warn_left_out(left_out: Sequence[LeftOut]) -> None:
    """Name the files that are left out, if there are any, in one warning."""
    if left_out:
        named = "; ".join(one.reason for one in left_out[:_NAMED])
        more = f"; and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        count = counted(len(left_out), "image is", "images are")
        cures = dict.fromkeys(cure for one in left_out for cure in one.error.cures)
        warnings.warn(LeftOutWarning(f"{count} left out: {named}{more}", *cures), stacklevel=3)


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
