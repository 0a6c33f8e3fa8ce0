"""Folders of pictures as the field uses them: 8 bits, luma or RGB, made small by MATLAB's bicubic."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour, formats
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """One picture at both resolutions, on 0..255: hr uint8, lr uint8 or, to be exact, float64; HR sides are `scale`
    times the LR sides.
    """

    lr: NDArray[Any]
    hr: Picture


def files(folders: Iterable[Path]) -> list[Path]:
    """All pictures below `folders`, sorted. Raises `UsageError` for a folder that has none."""
    found = []
    for folder in folders:
        below = sorted(path for path in folder.rglob("*") if path.is_file() and formats.readable(path))
        if not below:
            raise UsageError(f"no pictures in {folder.absolute()}: name folders with PNG, JPEG, WebP or TIFF files")
        found += below
    return found


def picture(path: Path) -> Picture:
    """The first frame of a file as (H, W, 3) uint8, or (H, W, 1) for a grey one; without its alpha."""
    with formats.read(path) as source:
        image = next(iter(source))
    return image.to_8bit()[..., : image.header.colours]


def shape(path: Path) -> tuple[int, int]:
    """(height, width) of a file as its header says, before its orientation is applied; no pixel is read."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(path) as opened:
                return opened.height, opened.width
    except (OSError, PIL.Image.DecompressionBombError):
        height, width, _ = picture(path).shape  # what Pillow does not know
        return height, width


def luma(pixels: Picture) -> Picture:
    """(H, W, 3) as (H, W) uint8 studio-range luma; of a grey picture its grey is the luma, as in the papers' tables."""
    return pixels[..., 0] if pixels.shape[-1] == 1 else colour.luma8(pixels)


def pair(hr: Picture, scale: int, *, exact: bool = False) -> Pair:
    """Cut `hr`, (H, W) or (H, W, C), to whole LR pixels and make its LR by MATLAB's bicubic.

    exact: keep the LR in double precision, as the papers do for luma; else it is uint8, as files are.
    Raises `UsageError` for a picture of less than one LR pixel.
    """
    height, width = (side - side % scale for side in hr.shape[:2])
    if not height or not width:
        raise UsageError(f"a picture of {hr.shape[1]} x {hr.shape[0]} pixels is too small for x{scale}")
    hr = hr[:height, :width]
    return Pair(resize(hr.astype(np.float64) if exact else hr, size=(height // scale, width // scale)), hr)


def fingerprint(paths: Iterable[Path]) -> str:
    """Twelve hex digits over the content of all files, in order: a card's word on what was learnt from."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
