"""HR and LR brought together: LR files found by name, checked by size, or made by MATLAB's bicubic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.datasets.files import Pixels8, files, read_image
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize


@dataclass(frozen=True)
class Pair:
    """One image at both resolutions, on 0..255; the sides of `hr` are `scale` times those of `lr`.

    Attributes:
        lr: uint8, or float64 where it was made without rounding.
        hr: uint8.
    """

    lr: NDArray[Any]
    hr: Pixels8


def pair(hr: Pixels8, scale: int, *, exact: bool = False) -> Pair:
    """Cut HR to whole LR pixels and make its LR by MATLAB's bicubic.

    Args:
        hr: (H, W) or (H, W, C).
        scale: HR pixels for each LR pixel along a side.
        exact: Keep the LR in double precision, as the papers do for luma, instead of rounding it to 8 bits.

    Raises:
        UsageError: For an image smaller than one LR pixel.
    """
    height, width = (side - side % scale for side in hr.shape[:2])
    if not height or not width:
        raise UsageError(f"an image of {hr.shape[1]} x {hr.shape[0]} pixels is too small for x{scale}")
    hr = hr[:height, :width]
    return Pair(resize(hr.astype(np.float64) if exact else hr, size=(height // scale, width // scale)), hr)


def find_lr(names: Sequence[str], folder: Path, scale: int) -> list[Path | None]:
    """Find the LR file of each HR image.

    An LR file has the name of its HR file, or that name followed by the scale, as in "0801x2" or "0801_x2"; endings
    may differ.

    Args:
        names: Paths of the HR files relative to their folder, without the ending.
        folder: The folder of the LR files.
        scale: The scale that an LR file's name may carry.

    Returns:
        For each name its LR file, or None if missing.

    Raises:
        UsageError: For a folder without images.
    """
    below = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files([folder])}
    candidates = [(name, f"{name}x{scale}", f"{name}_x{scale}") for name in names]
    return [next((below[name] for name in known if name in below), None) for known in candidates]


def check_pair(hr: Pixels8, lr: Pixels8, scale: int, *, hr_path: Path, lr_path: Path) -> None:
    """Check that LR has the size that belongs to HR. The paths are for the message.

    Raises:
        UsageError: For an LR image of another size.
    """
    height, width = (side // scale for side in hr.shape[:2])
    if lr.shape[:2] != (height, width):
        raise UsageError(
            f"{lr_path} has {_size(lr)} pixels, but {hr_path} with {_size(hr)} needs {width} x {height} at x{scale}: "
            "cut HR to whole multiples of the scale, then make LR from it"
        )


def with_lr(hr: Pixels8, lr: Pixels8, scale: int) -> Pair:
    """Cut HR to the pixels that its LR covers."""
    return Pair(lr, hr[: len(lr) * scale, : lr.shape[1] * scale])


def read_pair(hr_path: Path, lr_path: Path | None, scale: int) -> Pair:
    """Read both resolutions in 8 bits; LR is made by bicubic if it has no file.

    Raises:
        UsageError: For an LR file of another size or with other channels than its HR.
    """
    hr = read_image(hr_path)
    if lr_path is None:
        return pair(hr, scale)
    lr = read_image(lr_path)
    check_pair(hr, lr, scale, hr_path=hr_path, lr_path=lr_path)
    if lr.shape[2] != hr.shape[2]:
        raise UsageError(f"{lr_path} has {_colours(lr)} and {hr_path} has {_colours(hr)}: convert one of them")
    return with_lr(hr, lr, scale)


def _size(pixels: Pixels8) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def _colours(pixels: Pixels8) -> str:
    return "one channel" if pixels.shape[2] == 1 else "three channels"
