"""A preview of what a recipe learns from: HR patches next to their LR."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperacuity import datasets, storage
from hyperacuity.errors import UsageError
from hyperacuity.networks import build
from hyperacuity.train.checks import scales_of
from hyperacuity.train.images import find_images
from hyperacuity.train.patches import Cut, Patches
from hyperacuity.train.recipe import Recipe

if TYPE_CHECKING:
    import PIL.Image

# Of a sheet: pixels of a patch's side, pairs in total and in a row, pixels between them, and above them for titles.
SIDE, PAIRS, ACROSS, GAP, BAR = 192, 12, 3, 8, 24
FONT = 14


def preview(recipe: Recipe, path: Path) -> None:
    """Write a sheet of pairs as PNG, each pair degraded separately; in colour, also for networks on luma.

    Args:
        recipe: The recipe.
        path: The PNG file to write.

    Raises:
        UsageError: For a recipe whose LR images are given, and if the file cannot be written.
    """
    if recipe.data.lr:
        raise UsageError("the LR images of this recipe are given: there is nothing to preview")
    network = build(recipe.model.architecture, recipe.model.config)
    scale = scales_of(recipe, network)[0]
    margin = recipe.degradation.margin(scale)
    images = find_images(recipe.data.train, (), recipe.data.rescale, scale)
    largest = max(min(datasets.header_shape(image.hr)) * image.rescale for image in images)
    lr_side = max(1, int(min(SIDE, largest)) // scale)
    cut = Cut(scale, (lr_side + 2 * margin) * scale, margin * scale)
    hardest_of = recipe.data.hardest_of
    patches = Patches(images, cuts=[cut], channels=3, batch=1, seed=recipe.seed, hardest_of=hardest_of)
    pairs = []
    for n in range(PAIRS):
        hr = patches[n].hr
        lr = recipe.degradation.degrade(hr, scale, torch.Generator().manual_seed(recipe.seed * PAIRS + n))
        inner = slice(margin, margin + lr_side)
        pairs.append((recipe.degradation.truth(hr, cut.margin)[0], lr[0, :, inner, inner]))
    buffer = io.BytesIO()
    contact_sheet(pairs, scale).save(buffer, format="PNG")
    with storage.storing(path):
        storage.write_whole(path, buffer.getvalue())


def contact_sheet(pairs: Sequence[tuple[Tensor, Tensor]], scale: int) -> PIL.Image.Image:
    """Draw pairs next to each other: HR left, LR right at the same size, each LR pixel a square, under titles.

    Args:
        pairs: HR (C, H, W) and LR (C, H / scale, W / scale) in [0, 1], all of one size; C is 1 or 3.
        scale: HR pixels for each LR pixel along a side.
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
        for title, x, patch in (("HR", left, hr), (f"LR x{scale}", left + width, squares)):
            sheet.paste(PIL.Image.fromarray(_pixels(patch)), (x, top))
            if row == 0:
                draw.text((x + width / 2, BAR / 2), title, fill="black", anchor="mm", font=font)
    return sheet


def _pixels(x: Tensor) -> NDArray[np.uint8]:
    """Convert (C, H, W) in [0, 1] to (H, W, 3)."""
    pixels: NDArray[np.uint8] = (x.expand(3, -1, -1).permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()
    return np.ascontiguousarray(pixels)
