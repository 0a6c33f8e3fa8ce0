"""A look at what a recipe learns from, before it learns: HR patches beside their LR."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperacuity import datasets
from hyperacuity.errors import UsageError
from hyperacuity.networks import as_network, build
from hyperacuity.train import data
from hyperacuity.train.degrade import degrade, truth
from hyperacuity.train.recipe import Recipe

if TYPE_CHECKING:
    import PIL.Image

# On a sheet: pixels of a patch's side, pairs in all and in a row, pixels between them, and above them for the titles.
SIDE, PAIRS, ACROSS, GAP, BAR = 192, 12, 3, 8, 24
FONT = 14


def preview(recipe: Recipe, path: Path) -> None:
    """Write a sheet of pairs as PNG, each pair degraded on its own; in colour, whatever the network sees of it.

    Raises `UsageError` for a recipe whose LR pictures are given, and for a file that cannot be written.
    """
    if recipe.data.lr:
        raise UsageError("this recipe has LR pictures of its own: there is nothing to preview")
    own = as_network(build(recipe.model.architecture, recipe.model.config)).scale
    scale = recipe.data.scales[0] if recipe.data.scales else max(2, own)
    margin = recipe.degradation.margin(scale)
    files = data.sources(recipe.data.train, (), recipe.data.rescale)
    largest = max(min(datasets.shape(file.hr)) * file.rescale for file in files)
    lr_side = max(1, int(min(SIDE, largest)) // scale)
    cut = data.Cut(scale, (lr_side + 2 * margin) * scale, margin * scale)
    hardest_of = recipe.data.hardest_of
    patches = data.Patches(files, cuts=[cut], channels=3, batch=1, seed=recipe.seed, hardest_of=hardest_of)
    pairs = []
    for n in range(PAIRS):
        hr = patches[n].hr
        lr = degrade(hr, scale, recipe.degradation, torch.Generator().manual_seed(recipe.seed * PAIRS + n))
        inner = slice(margin, margin + lr_side)
        pairs.append((truth(hr, recipe.degradation, cut.margin)[0], lr[0, :, inner, inner]))
    fresh = path.with_name(path.name + ".new")
    try:
        contact_sheet(pairs, scale).save(fresh, format="PNG")
        os.replace(fresh, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        fresh.unlink(missing_ok=True)


def contact_sheet(pairs: Sequence[tuple[Tensor, Tensor]], scale: int) -> PIL.Image.Image:
    """Pairs of HR (C, H, W) and LR (C, H / scale, W / scale) in [0, 1], C 1 or 3, all of one size: HR left, LR right at
    its size, each LR pixel a square, under titles.
    """
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    _, height, width = pairs[0][0].shape
    across = min(ACROSS, len(pairs))
    size = (2 * (width + GAP) * across - GAP, BAR + (height + GAP) * -(-len(pairs) // across) - GAP)
    sheet = PIL.Image.new("RGB", size, "white")
    draw, font = PIL.ImageDraw.Draw(sheet), PIL.ImageFont.load_default(FONT)
    for n, (hr, lr) in enumerate(pairs):
        row, column = divmod(n, across)
        left, top = 2 * (width + GAP) * column, BAR + (height + GAP) * row
        squares = lr.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
        for title, x, picture in (("HR", left, hr), (f"LR x{scale}", left + width, squares)):
            sheet.paste(PIL.Image.fromarray(_pixels(picture)), (x, top))
            if row == 0:
                draw.text((x + width / 2, BAR / 2), title, fill="black", anchor="mm", font=font)
    return sheet


def _pixels(x: Tensor) -> NDArray[np.uint8]:
    """(H, W, 3)."""
    pixels: NDArray[np.uint8] = (x.expand(3, -1, -1).permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()
    return np.ascontiguousarray(pixels)
