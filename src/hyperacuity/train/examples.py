"""Batches of patches made into what a network learns from: its input, the truth and the LR."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from hyperacuity.networks import as_network
from hyperacuity.networks.table import NETWORKS
from hyperacuity.train.degrade import inner
from hyperacuity.train.degrade.operations.resampling import enlarge
from hyperacuity.train.pairs.stored import PairBatch
from hyperacuity.train.patches import Cut, PatchBatch
from hyperacuity.train.recipe import Recipe

# LR pixels beyond a patch that bicubic reads to enlarge it.
ENLARGED_FROM = 2
# Distinguishes the draws of windows from others with the same seed.
WINDOW_DRAWS = 1


class Examples(NamedTuple):
    """Float32 batches in [0, 1] on the device.

    Attributes:
        x: (N, C, h, w), the network's input.
        hr: (N, C, H, W), the truth.
        lr: (N, C, h, w), the LR that `x` is or was enlarged from.
        real: (N, C, H, W), what results should look like: the truth, or what a teacher has made.
        window: The rows and columns that losses of appearance and an adversary see.
        generator: The source of the batch's noise.
    """

    x: Tensor
    hr: Tensor
    lr: Tensor
    real: Tensor
    window: tuple[slice, slice]
    generator: torch.Generator

    def shown(self, sr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the windows of a result and of the real images."""
        rows, columns = self.window
        return sr[..., rows, columns], self.real[..., rows, columns]


class ExampleMaker:
    """Makes examples as a recipe says.

    Args:
        recipe: The recipe.
        network: Its network; its `scale` is set to that of each batch.
        fabric: The device and the number of this process.
    """

    def __init__(self, recipe: Recipe, network: nn.Module, fabric: Fabric) -> None:
        self.recipe, self.fabric, self.traits = recipe, fabric, as_network(network)
        self.enlarged = NETWORKS[recipe.model.architecture].takes_enlarged

    def cut(self, scale: int) -> Cut:
        """Return what to cut out of images at a scale."""
        patch = self.recipe.data.patch
        if self.recipe.data.lr:
            return Cut(scale, patch if self.enlarged else patch * scale)
        margin = self.recipe.degradation.margin(scale) + (ENLARGED_FROM if self.enlarged else 0)
        lr = -(-patch // scale) if self.enlarged else patch
        return Cut(scale, (lr + 2 * margin) * scale, margin * scale)

    def make(self, batch: PatchBatch | PairBatch, number: int) -> Examples:
        """Degrade a batch on the device. number: that of the batch within the run, which decides its noise."""
        seed = np.random.SeedSequence([self.recipe.seed, number, self.fabric.global_rank])
        generator = torch.Generator(self.fabric.device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
        x, hr, lr, real = self._planes(batch.to(self.fabric.device), generator)
        return Examples(x, hr, lr, real, self._window(hr, number), generator)

    def _window(self, hr: Tensor, number: int) -> tuple[slice, slice]:
        side = self.recipe.window
        if side is None:
            return slice(None), slice(None)
        # All processes see one place: then they learn as one with a larger batch.
        random = np.random.default_rng([self.recipe.seed, number, WINDOW_DRAWS])
        top, left = (int(random.integers(length - side + 1)) for length in hr.shape[-2:])
        return slice(top, top + side), slice(left, left + side)

    def _planes(
        self, batch: PatchBatch | PairBatch, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the input, the truth, the LR and the real images of a batch."""
        if isinstance(batch, PairBatch):
            lr, hr, real = batch.planes()
            return lr, hr, lr, real
        degradation, scale = self.recipe.degradation, batch.cut.scale
        if batch.lr is None:
            lr = degradation.degrade(batch.hr, scale, generator)
            hr = degradation.truth(batch.hr, batch.cut.margin)
        else:
            lr, hr = batch.lr.float() / 255, batch.hr.float() / 255
        if not self.enlarged:
            self.traits.scale = scale
            lr = inner(lr, batch.cut.margin // scale)
            return lr, hr, lr, hr
        patch, edge = self.recipe.data.patch, batch.cut.margin
        x = enlarge(lr, scale)[..., edge : edge + patch, edge : edge + patch]
        hr = hr[..., :patch, :patch]
        return x, hr, lr, hr
