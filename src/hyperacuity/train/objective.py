"""The training objective: the sum of losses, of what a teacher and an adversary add, or of a variational bound."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.train.adversary import Adversary
from hyperacuity.train.losses import Criterion
from hyperacuity.train.recipe import Teacher, Variational
from hyperacuity.train.variational import bound

Terms = dict[str, Tensor]


class Objective:
    """The terms whose sum the network minimises, each times its weight.

    Args:
        network: As `Fabric.setup` returned it.
        criterion: The losses of the recipe.
        variational: For networks with `elbo_terms`.
        teacher: A network whose results are learnt too, and its settings.
        adversary: The adversary of a GAN.
    """

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
        """Compute the terms for a batch.

        Args:
            x: (N, C, h, w), what the network gets.
            hr: (N, C, H, W), the truth.
            lr: (N, C, h, w), the LR that `x` is or was enlarged from.
            step: Steps taken so far.
            generator: The source of what is random, on the device of the batch.

        Returns:
            The terms by name, and the network's result (N, C, H, W).
        """
        if self.variational is not None:
            terms, sr = bound(self.network, self.criterion, self.variational, x, hr, lr, step, generator)
        else:
            sr = self.network(x)
            terms = self.criterion(sr, hr, lr)
        if self.teacher is not None:
            network, settings = self.teacher
            with torch.no_grad():
                wanted = network(x)
            terms["teacher"] = settings.weight * functional.l1_loss(sr.float(), wanted.float())
        if self.adversary is not None:
            terms["adversary"] = self.adversary.generator_term(sr, hr)
        return terms, sr
