"""Make and store pairs: LR, a teacher's result and the truth.

Pair n follows from the seed and n alone (pages of text also from the fonts that are installed, a teacher's rounding
also from the number of threads), so that an interrupted run continues with the next missing shard.
"""

from __future__ import annotations

import csv
import functools
import os
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hyperacuity import datasets
from hyperacuity.datasets import Pixels8
from hyperacuity.errors import UsageError
from hyperacuity.networks import as_network
from hyperacuity.resize import resize
from hyperacuity.train.degrade.everyday import degrade_everyday, draw_kind
from hyperacuity.train.degrade.operations.resampling import shrink
from hyperacuity.train.images import TrainingImage
from hyperacuity.train.pairs.pages import page_of_text
from hyperacuity.train.pairs.settings import PairsTable
from hyperacuity.train.pairs.stored import SHARD, VALIDATION, shard_folders

# LR pixels around a pair that the teacher sees.
CONTEXT = 4
# LR pixels around a pair that are degraded with it: the pair begins at a random one, and with it JPEG's grid.
MARGINS = (8, 24)
BATCH = 10
# Files whose names begin with these are graphics, of which screenshots are made.
GRAPHICS = ("screenshot", "text", "drawn")
VALIDATION_SEED = 20261128
HELD = 2000
CPU = torch.device("cpu")


@dataclass(frozen=True)
class PairMaker:
    """Makes pairs of one scale.

    Args:
        settings: The recipe's [pairs].
        shares: How likely each kind of degradation is.
        scale: HR pixels for each LR pixel along a side.
        teacher: The network of the teacher, None without one. Its scale is `scale` or a multiple: results that are
            larger are shrunk by bicubic.
        device: Where it computes.

    Raises:
        UsageError: For a teacher of another scale or of luma.
    """

    settings: PairsTable
    shares: dict[str, float]
    scale: int
    teacher: nn.Module | None = None
    device: torch.device = CPU

    def __post_init__(self) -> None:
        if self.teacher is None:
            return
        traits = as_network(self.teacher)
        name, seen = self.settings.teacher, self.settings.side + 2 * CONTEXT
        if traits.scale % self.scale or traits.channels != 3:
            raise UsageError(
                f"pairs.teacher: {name} is for x{traits.scale} and {traits.channels} channels, not for x{self.scale} "
                "or a multiple of it and 3 channels"
            )
        if seen % traits.multiple:
            raise UsageError(f"pairs.side: {name} sees {seen} LR pixels a side, which must divide by {traits.multiple}")
        self.teacher.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def make_missing(
        self, folder: Path, images: Sequence[TrainingImage], unseen: Sequence[TrainingImage], rank: int, world: int
    ) -> Generator[int]:
        """Make the shards and the validation pairs that a folder lacks.

        Args:
            folder: Where they are stored.
            images: Images to make pairs of.
            unseen: Images to make the validation pairs of.
            rank, world: The number of this process, which makes its part, and how many there are.

        Yields:
            How many pairs of this process are done.
        """
        done = 0
        kinds = [kind for kind, share in self.shares.items() if share]
        if rank == 0 and not (folder / VALIDATION).exists():
            even = kinds * self.settings.validation_per_kind
            for made in self._write(folder / VALIDATION, range(len(even)), unseen, VALIDATION_SEED, even):
                yield done + made
            done += len(even)
        count = self.settings.count
        for shard, path in list(enumerate(shard_folders(folder, count)))[rank::world]:
            if path.exists():
                continue
            numbers = range(shard * SHARD, min(count, (shard + 1) * SHARD))
            for made in self._write(path, numbers, images, self.settings.seed, None):
                yield done + made
            done += len(numbers)

    def _write(
        self, folder: Path, numbers: range, images: Sequence[TrainingImage], seed: int, kinds: list[str] | None
    ) -> Generator[int]:
        """Make the pairs of these numbers; the folder gets its name when it is complete."""
        fresh = folder.with_name(folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        rows: list[dict[str, object]] = []
        names = ("lr", "truth", "teacher") if self.teacher is not None else ("lr", "truth")
        arrays: dict[str, list[Pixels8]] = {name: [] for name in names}
        for start in range(0, len(numbers), BATCH):
            made = [self.pair(n, images, seed, kinds[n] if kinds else None) for n in numbers[start : start + BATCH]]
            rows += [row for row, _, _ in made]
            lr = torch.stack([lr for _, lr, _ in made])
            arrays["lr"] += _pixels(lr, CONTEXT)
            arrays["truth"] += _pixels(torch.stack([truth for _, _, truth in made]), 0)
            if self.teacher is not None:
                arrays["teacher"] += _pixels(self._taught(lr), CONTEXT * self.scale)
            yield start + len(made)
        for name, pixels in arrays.items():
            np.save(fresh / f"{name}.npy", np.stack(pixels))
        with (fresh / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        os.replace(fresh, folder)

    @torch.inference_mode()
    def _taught(self, lr: Tensor) -> Tensor:
        teacher: Any = self.teacher
        batch = (lr.to(self.device).float() / 255).contiguous(memory_format=torch.channels_last)
        result = teacher(batch)
        factor = as_network(teacher).scale // self.scale
        result = result if factor == 1 else shrink(result, factor)
        return (result * 255).round().clamp(0, 255).byte().cpu()

    def pair(
        self, n: int, images: Sequence[TrainingImage], seed: int, kind: str | None = None
    ) -> tuple[dict[str, object], Tensor, Tensor]:
        """Make one pair.

        Args:
            n: The number of the pair.
            images: Images to draw from.
            seed: Decides, together with `n`, all that is random.
            kind: The kind of degradation; if missing, one is drawn by its share.

        Returns:
            Its row of pairs.csv; LR with `CONTEXT` pixels around it, (3, s, s) uint8; the truth, (3, S, S) uint8.
        """
        side, scale = self.settings.side, self.scale
        rng = np.random.default_rng([seed, n])
        kind = kind or draw_kind(rng, self.shares)
        row: dict[str, object] = {"n": n, "kind": kind, "file": "", "rescale": 1.0, "top": 0, "left": 0, "grey": 0}
        whole = (side + sum(MARGINS)) * scale
        if kind == "screenshot" and rng.random() < 0.5:
            window, at = page_of_text(rng, whole), (0, 0)
        else:
            window, at = _window(rng, images, kind, whole, row)
        if kind == "scan" and rng.random() < 0.5:
            row["grey"] = 1
            window = _grey(window)
        hr = torch.from_numpy(np.array(window)).permute(2, 0, 1)
        lr = degrade_everyday(hr, scale, kind, rng)
        top, left = (int(rng.integers(*MARGINS)) for _ in range(2))
        row["top"], row["left"] = at[0] + top * scale, at[1] + left * scale
        lr = lr[:, top - CONTEXT : top + side + CONTEXT, left - CONTEXT : left + side + CONTEXT]
        return row, lr, hr[:, top * scale : (top + side) * scale, left * scale : (left + side) * scale]


def _window(
    rng: np.random.Generator, images: Sequence[TrainingImage], kind: str, side: int, row: dict[str, object]
) -> tuple[Pixels8, tuple[int, int]]:
    """Cut a square out of an image: of two at random the one with more detail, since many show the sky alone."""
    graphics = [image for image in images if image.hr.name.startswith(GRAPHICS)]
    chosen = graphics if kind == "screenshot" and graphics else images
    image = chosen[int(rng.integers(len(chosen)))]
    whole = _read(image, side)
    best: tuple[float, int, int] = (-1.0, 0, 0)
    for _ in range(2):
        top, left = (int(rng.integers(length - side + 1)) for length in whole.shape[:2])
        best = max(best, (float(whole[top : top + side, left : left + side].std()), top, left))
    _, top, left = best
    row.update(file=f"{image.hr.parent.name}/{image.hr.name}", rescale=image.rescale)
    return whole[top : top + side, left : left + side], (top, left)


@functools.lru_cache(HELD)
def _read(image: TrainingImage, least: int) -> Pixels8:
    """Return an image at its size, but not smaller than `least` pixels a side."""
    pixels = datasets.to_channels(datasets.read_image(image.hr), 3)
    factor = max(image.rescale, least / min(pixels.shape[:2]))
    if factor != 1:
        height, width = (max(least, round(length * factor)) for length in pixels.shape[:2])
        pixels = resize(pixels, size=(height, width))
    return pixels


def _grey(pixels: Pixels8) -> Pixels8:
    """Return RGB without colour, by the luma of BT.601."""
    luma = (pixels @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=2)


def _pixels(planes: Tensor, margin: int) -> list[Pixels8]:
    """Convert (N, 3, H, W) without its margin to arrays (H, W, 3)."""
    inner = slice(margin, planes.shape[-1] - margin)
    return list(planes[:, :, inner, inner].permute(0, 2, 3, 1).numpy())
