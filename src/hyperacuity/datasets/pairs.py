"""HR and LR brought together: checked by size, or LR made by MATLAB's bicubic; `pairing` finds LR files by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.datasets.files import Pixels8, header_shape, read_image
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


def check_pair(hr: Pixels8, lr: Pixels8, scale: int, *, hr_path: Path, lr_path: Path) -> None:
    """Check that LR has the size that belongs to HR. The paths are for the message.

    Raises:
        UsageError: For an LR image of another size.
    """
    check_shapes(hr.shape[:2], lr.shape[:2], scale, hr_path=hr_path, lr_path=lr_path)


def check_headers(hr_path: Path, lr_path: Path, scale: int) -> None:
    """Check by headers alone that LR has the size that belongs to HR; raises as `check_pair` does."""
    hr, lr = header_shape(hr_path), header_shape(lr_path)
    if lr != tuple(side // scale for side in hr[::-1]):  # one of them may be turned by its orientation
        check_shapes(hr, lr, scale, hr_path=hr_path, lr_path=lr_path)


def check_shapes(hr: Sequence[int], lr: Sequence[int], scale: int, *, hr_path: Path, lr_path: Path) -> None:
    """Check the (height, width) of LR against that of HR; raises as `check_pair` does."""
    height, width = (side // scale for side in hr)
    if tuple(lr) != (height, width):
        raise UsageError(
            f"{lr_path} has {lr[1]} x {lr[0]} pixels, but {hr_path} with {hr[1]} x {hr[0]} needs {width} x {height} "
            f"at x{scale}: cut HR to whole multiples of the scale, then make LR from it"
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


def _colours(pixels: Pixels8) -> str:
    return "one channel" if pixels.shape[2] == 1 else "three channels"
