"""A look at what a recipe learns from, before it learns: HR patches beside their LR."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperacuity.errors import UsageError
from hyperacuity.train import data
from hyperacuity.train.degrade import degrade, truth
from hyperacuity.train.recipe import Recipe

# Pixels of a patch's side, pairs on a sheet and in one of its rows, pixels between them.
SIDE, PAIRS, ACROSS, GAP = 192, 12, 3, 8


def preview(recipe: Recipe, path: Path) -> None:
    """Write a sheet of pairs as PNG, HR left, LR right at the same size, each LR pixel a square; in colour, whatever
    the network sees of it.

    Raises `UsageError` for a recipe whose LR pictures are given, and for a file that cannot be written.
    """
    import PIL.Image

    if recipe.data.lr:
        raise UsageError("this recipe has LR pictures of its own: there is nothing to preview")
    scale = recipe.data.scales[0] if recipe.data.scales else int(recipe.model.config.get("scale", 2))
    margin = recipe.degradation.margin(scale)
    side = -(-SIDE // scale) * scale
    cut = data.Cut(scale, side + 2 * margin * scale, margin * scale)
    files = data.sources(recipe.data.train, (), recipe.data.rescale)
    patches = data.Patches(files, cuts=[cut], channels=3, batch=1, seed=recipe.seed)
    sheet = np.full(((side + GAP) * -(-PAIRS // ACROSS) - GAP, (2 * side + 2 * GAP) * ACROSS - GAP, 3), 255, np.uint8)
    for n in range(PAIRS):
        hr = patches[n].hr.float() / 255
        generator = torch.Generator().manual_seed(recipe.seed * PAIRS + n)
        lr = degrade(hr, scale, recipe.degradation, generator).repeat_interleave(scale, -1).repeat_interleave(scale, -2)
        row, column = divmod(n, ACROSS)
        top, left = row * (side + GAP), column * (2 * side + 2 * GAP)
        edge = slice(cut.margin, cut.margin + side)
        sheet[top : top + side, left : left + side] = _pixels(truth(hr, recipe.degradation)[..., edge, edge])
        sheet[top : top + side, left + side : left + 2 * side] = _pixels(lr[..., edge, edge])
    fresh = path.with_name(path.name + ".new")
    try:
        PIL.Image.fromarray(sheet).save(fresh, format="PNG")
        os.replace(fresh, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        fresh.unlink(missing_ok=True)


def _pixels(x: Tensor) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = (x[0].permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()
    return pixels
