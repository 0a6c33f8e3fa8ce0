"""The adversary of a GAN: a discriminator, its optimiser, and what both networks learn from its logits."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.discriminators import DISCRIMINATORS
from hyperacuity.train import optimisation
from hyperacuity.train.recipe import Discriminator, GanLoss


class Adversary:
    """A discriminator and its optimiser.

    Args:
        fabric: Where it computes.
        settings: The recipe's [discriminator].
        channels: Of the images that it judges.
        patch: Pixels8 of a side of these.

    Raises:
        UsageError: For a config that the architecture does not have.
    """

    def __init__(self, fabric: Fabric, settings: Discriminator, channels: int, patch: int) -> None:
        self.fabric, self.settings = fabric, settings
        kind: Any = DISCRIMINATORS[settings.architecture]
        sized = {"size": patch} if settings.architecture == "vgg" else {}
        try:
            self.plain: nn.Module = kind(kind.Config(**{"channels": channels, **sized, **settings.config}))
        except (ArithmeticError, LookupError, RuntimeError, TypeError) as error:
            raise UsageError(
                f"discriminator.config: {settings.architecture} cannot be built from {settings.config}: {error}"
            ) from error
        self.network, self.optimizer = fabric.setup(self.plain, optimisation.build(self.plain, settings.optimizer))

    def generator_term(self, sr: Tensor, hr: Tensor, step: int) -> Tensor:
        """Compute what the generator pays, times its weight; the discriminator gets no gradients from it.

        Args:
            sr: Results.
            hr: What counts as real.
            step: Steps taken so far, by which the weight grows at first.
        """
        self.plain.requires_grad_(False)
        try:
            fake = self.network(sr)
            real = self.network(hr) if self.settings.loss == "relativistic" else None
            return self._weight(step) * generator_loss(self.settings.loss, fake, real)
        finally:
            self.plain.requires_grad_(True)

    def _weight(self, step: int) -> float:
        grown = step - self.settings.pretrain_steps
        return self.settings.weight * min(1.0, grown / self.settings.warm_up if self.settings.warm_up else 1.0)

    def learn(self, pairs: list[tuple[Tensor, Tensor]], rate: float) -> dict[str, Tensor]:
        """Take one step on results and their truths.

        Args:
            pairs: (sr, hr) of each batch of the step, of which the first `batch_fraction` is used.
            rate: The learning rate.

        Returns:
            The discriminator's loss, and its accuracy on both.
        """
        optimisation.set_rate(self.optimizer, rate)
        self.optimizer.zero_grad()
        accuracies: list[Tensor] = []
        losses: list[Tensor] = []
        for sr, hr in pairs:
            used = slice(int(len(sr) * self.settings.batch_fraction))
            real, fake = self.network(hr[used]), self.network(sr[used].detach())
            loss = discriminator_loss(self.settings.loss, fake, real) / len(pairs)
            self.fabric.backward(loss)
            losses.append(loss.detach())
            edge = (real.mean() + fake.mean()).detach() / 2 if self.settings.loss == "relativistic" else 0.0
            accuracies.append(((real > edge).float().mean() + (fake < edge).float().mean()) / 2)
        optimisation.clip(self.fabric, self.network, self.optimizer, self.settings.optimizer, rate)
        self.optimizer.step()
        return {"discriminator": torch.stack(losses).sum(), "accuracy": torch.stack(accuracies).mean()}


def generator_loss(kind: GanLoss, fake: Tensor, real: Tensor | None = None) -> Tensor:
    """Compute what a generator pays for a discriminator's logits.

    Args:
        kind: vanilla: the non-saturating form of Goodfellow et al. (arXiv 1406.2661, section 3); lsgan: arXiv
            1611.04076; hinge: arXiv 1705.02894; relativistic: the average one of ESRGAN (arXiv 1809.00219, equation
            2), halved as in its authors' code.
        fake: Logits of results.
        real: Logits of true images, for the relativistic loss.

    Raises:
        ValueError: For the relativistic loss without `real`.
    """
    fake = _widened(fake)
    if kind == "vanilla":
        return _cross_entropy(fake, real=True)
    if kind == "lsgan":
        return (fake - 1).square().mean()
    if kind == "hinge":
        return -fake.mean()
    if real is None:
        raise ValueError("the relativistic loss needs the logits of real images")
    real = _widened(real)
    return (_cross_entropy(real - fake.mean(), real=False) + _cross_entropy(fake - real.mean(), real=True)) / 2


def discriminator_loss(kind: GanLoss, fake: Tensor, real: Tensor) -> Tensor:
    """Compute what a discriminator pays, averaged over real images and results; see `generator_loss`."""
    fake, real = _widened(fake), _widened(real)
    if kind == "vanilla":
        return (_cross_entropy(real, real=True) + _cross_entropy(fake, real=False)) / 2
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    if kind == "hinge":
        return (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()) / 2
    return (_cross_entropy(real - fake.mean(), real=True) + _cross_entropy(fake - real.mean(), real=False)) / 2


def _cross_entropy(logits: Tensor, *, real: bool) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def _widened(x: Tensor) -> Tensor:
    """Convert half precision to float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
