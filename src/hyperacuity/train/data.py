"""Pictures for training: decoded once to 8-bit luma, degraded once, cut at random."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperacuity.datasets import Pair, Picture, luma, pair, picture
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize


def pairs(paths: Iterable[Path], scale: int, rescale: Iterable[float], patch: int) -> Iterator[Pair]:
    """Each file at each size of `rescale`; those too small for one patch are left out."""
    for path in paths:
        whole = luma(picture(path))
        for factor in rescale:
            made = pair(whole if factor == 1 else resize(whole, scale=factor), scale)
            if min(made.lr.shape) >= patch:
                yield made


class Patches:
    """Random patches, flipped and rotated. Step n always gives the same batch, whatever came before, so that
    a resumed training needs no sampler state.
    """

    def __init__(self, pairs: list[Pair], *, scale: int, patch: int, batch: int, seed: int) -> None:
        if not pairs:
            raise UsageError(f"no picture is large enough for patches of {patch} LR pixels: make data.patch smaller")
        self.pairs, self.scale, self.patch, self.size, self.seed = pairs, scale, patch, batch, seed
        area = np.array([pair.lr.size for pair in pairs], np.float64)
        self._cumulated = np.cumsum(area / area.sum())

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """LR (N, 1, P, P) and HR (N, 1, P * scale, P * scale), float32 in [0, 1]."""
        random = np.random.default_rng([self.seed, step])
        lr = np.empty((self.size, 1, self.patch, self.patch), np.uint8)
        hr = np.empty((self.size, 1, self.patch * self.scale, self.patch * self.scale), np.uint8)
        for n in range(self.size):
            pair = self.pairs[min(int(np.searchsorted(self._cumulated, random.random())), len(self.pairs) - 1)]
            top = random.integers(pair.lr.shape[0] - self.patch + 1)
            left = random.integers(pair.lr.shape[1] - self.patch + 1)
            turn, flip = random.integers(4), random.integers(2)
            lr[n, 0] = _orient(_cut(pair.lr, top, left, self.patch), turn, flip)
            hr[n, 0] = _orient(_cut(pair.hr, top * self.scale, left * self.scale, self.patch * self.scale), turn, flip)
        return torch.from_numpy(lr).float() / 255, torch.from_numpy(hr).float() / 255


def _cut(picture: Picture, top: int, left: int, side: int) -> Picture:
    return picture[top : top + side, left : left + side]


def _orient(picture: Picture, turn: Any, flip: Any) -> Picture:
    turned = np.rot90(picture, turn)
    return turned[:, ::-1] if flip else turned
