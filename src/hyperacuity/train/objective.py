"""The training objective: the sum of losses, of what a teacher and an adversary add, or of a variational bound."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.train.adversary import Adversary
from hyperacuity.train.examples import Examples
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

    def terms(self, examples: Examples, step: int) -> tuple[Terms, tuple[Tensor, Tensor]]:
        """Compute the terms for a batch. step: steps taken so far.

        Returns:
            The terms by name; the part of the network's result that an adversary judges, and the real images next to
            it.
        """
        x, hr, lr, generator = examples.x, examples.hr, examples.lr, examples.generator
        if self.variational is not None:
            terms, sr = bound(self.network, self.criterion, self.variational, x, hr, lr, step, generator)
            shown = sr, hr
        else:
            sr = self.network(x)
            shown = examples.shown(sr)
            terms = self.criterion(sr, hr, lr, shown)
        if self.teacher is not None:
            network, settings = self.teacher
            with torch.no_grad():
                wanted = network(x)
            terms["teacher"] = settings.weight * functional.l1_loss(sr.float(), wanted.float())
        if self.adversary is not None:
            terms["adversary"] = self.adversary.generator_term(*shown, step)
        return terms, shown
