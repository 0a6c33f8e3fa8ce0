"""What a network is told to do: come near the truth, vary where that is not known, deceive a discriminator."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.discriminators import DISCRIMINATORS
from hyperacuity.train import optimisation
from hyperacuity.train.losses import Criterion, discriminator_loss, generator_loss, kl
from hyperacuity.train.recipe import Discriminator, Teacher, Variational

Terms = dict[str, Tensor]


class Objective:
    """The terms whose sum the network learns to make small, each with its weight already on it."""

    def __init__(
        self,
        network: Any,
        criterion: Criterion,
        variational: Variational | None,
        teacher: tuple[nn.Module, Teacher] | None,
        adversary: Adversary | None,
    ) -> None:
        self.network, self.criterion, self.variational = network, criterion, variational
        self.teacher, self.adversary = teacher, adversary

    def terms(self, x: Tensor, hr: Tensor, lr: Tensor, step: int, generator: torch.Generator) -> tuple[Terms, Tensor]:
        """Of a batch: x is what the network gets, lr the LR behind it; and the network's picture."""
        if self.variational is not None:
            found, sr = self._variational(self.variational, x, hr, lr, step, generator)
        else:
            sr = self.network(x)
            found = self.criterion(sr, hr, lr)
        if self.teacher is not None:
            network, how = self.teacher
            with torch.no_grad():
                taught = network(x)
            found["teacher"] = how.weight * functional.l1_loss(sr.float(), taught.float())
        if self.adversary is not None:
            found["adversary"] = self.adversary.against(sr, hr)
        return found, sr

    def _variational(
        self, how: Variational, x: Tensor, hr: Tensor, lr: Tensor, step: int, generator: torch.Generator
    ) -> tuple[Terms, Tensor]:
        """The bound's two terms; and the backbone's own picture, which is to be as good as one without z can be."""
        picture, nats, backbone = self.network.elbo_terms(x, hr, generator)
        found = self.criterion(picture, hr, lr)
        found |= {f"backbone {name}": term for name, term in self.criterion(backbone, hr, lr).items()}
        risen = min(1.0, (step + 1) / how.warm_up) if how.warm_up else 1.0
        found["kl"] = how.beta * risen * kl(nats, how.free_bits) * (nats[0, 0].numel() / hr[0].numel())
        return found, picture


class Adversary:
    """A discriminator, what it learns by, and how well it tells."""

    def __init__(self, fabric: Fabric, how: Discriminator, channels: int, patch: int) -> None:
        self.fabric, self.how = fabric, how
        kind: Any = DISCRIMINATORS[how.architecture]
        sized = {"size": patch} if how.architecture == "vgg" else {}
        try:
            self.plain: nn.Module = kind(kind.Config(**{"channels": channels, **sized, **how.config}))
        except (ArithmeticError, LookupError, RuntimeError, TypeError) as error:
            raise UsageError(
                f"discriminator.config: {how.architecture} cannot be built from {how.config}: {error}"
            ) from error
        self.network, self.optimizer = fabric.setup(self.plain, optimisation.build(self.plain, how.optimizer))

    def against(self, sr: Tensor, hr: Tensor) -> Tensor:
        """What the generator pays for being told; the discriminator learns nothing from it."""
        self.plain.requires_grad_(False)
        try:
            fake = self.network(sr)
            real = self.network(hr) if self.how.loss == "relativistic" else None
            return self.how.weight * generator_loss(self.how.loss, fake, real)
        finally:
            self.plain.requires_grad_(True)

    def learn(self, fakes: list[tuple[Tensor, Tensor]], rate: float) -> Terms:
        """One step on pictures (sr, hr); its loss, and the part of both that it told rightly."""
        optimisation.set_rate(self.optimizer, rate)
        self.optimizer.zero_grad()
        told: list[Tensor] = []
        losses: list[Tensor] = []
        for sr, hr in fakes:
            real, fake = self.network(hr), self.network(sr.detach())
            loss = discriminator_loss(self.how.loss, fake, real) / len(fakes)
            self.fabric.backward(loss)
            losses.append(loss.detach())
            edge = (real.mean() + fake.mean()).detach() / 2 if self.how.loss == "relativistic" else 0.0
            told.append(((real > edge).float().mean() + (fake < edge).float().mean()) / 2)
        optimisation.clip(self.fabric, self.network, self.optimizer, self.how.optimizer, rate)
        self.optimizer.step()
        return {"discriminator": torch.stack(losses).sum(), "told rightly": torch.stack(told).mean()}
