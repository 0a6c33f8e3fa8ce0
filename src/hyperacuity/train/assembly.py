"""From a recipe to all that a run needs but its data: networks and optimisers on their device, the objective."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from hyperacuity.errors import UsageError, Use
from hyperacuity.networks import as_network, build
from hyperacuity.networks.table import NETWORKS
from hyperacuity.train import optimisation, start
from hyperacuity.train.adversary import Adversary
from hyperacuity.train.checks import check_recipe, check_teacher, scales_of
from hyperacuity.train.examples import ExampleMaker
from hyperacuity.train.losses import LOSSES, Criterion
from hyperacuity.train.objective import Objective
from hyperacuity.train.recipe import Recipe, Teacher
from hyperacuity.train.state import State

PRECISIONS: Mapping[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class Assembly:
    """The networks of a run, ready to learn.

    Attributes:
        recipe: What they were made from.
        fabric: The device, the precision and the processes.
        plain: The network itself.
        network, optimizer: The same network and its optimiser, as `Fabric.setup` returned them.
        average: The exponential average of its weights.
        adversary: That of a GAN, else None.
        objective: What is minimised.
        examples: Makes what the network learns from.
        scales: The scales to learn.
        enlarged: Whether the network gets images that bicubic has enlarged before.
    """

    recipe: Recipe
    fabric: Fabric
    plain: nn.Module
    network: Any
    optimizer: Any
    average: optimisation.Average
    adversary: Adversary | None
    objective: Objective
    examples: ExampleMaker
    scales: tuple[int, ...]
    enlarged: bool

    def state(self) -> dict[str, Any]:
        """Return the fields of a `State` that hold weights and optimisers."""
        return {
            "network": self.plain.state_dict(),
            "average": self.average.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),  # the factor of fp16's gradients
            "discriminator": None if self.adversary is None else self.adversary.plain.state_dict(),
            "discriminator_optimizer": None if self.adversary is None else self.adversary.optimizer.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Restore weights and optimisers."""
        self.plain.load_state_dict(state.network)
        self.average.module.load_state_dict(state.average)
        self.optimizer.load_state_dict(state.optimizer)
        if state.precision:
            self.fabric.strategy.precision.load_state_dict(state.precision)
        if self.adversary is not None and state.discriminator is not None:
            self.adversary.plain.load_state_dict(state.discriminator)
            self.adversary.optimizer.load_state_dict(state.discriminator_optimizer)


def assemble(recipe: Recipe, device: str) -> Assembly:
    """Build the networks of a recipe, with the weights that they start from.

    Args:
        recipe: The recipe. Its seed decides the initial weights.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        UsageError: For what a recipe asks that its network cannot do, and for a device that is not there.
    """
    torch.manual_seed(recipe.seed)
    plain = build(recipe.model.architecture, recipe.model.config)
    scales = scales_of(recipe, plain)
    if recipe.model.start:
        start.initialise(plain, recipe.model.start, recipe.model.reinitialise)
    traits = as_network(plain)
    enlarged = NETWORKS[recipe.model.architecture].takes_enlarged
    check_recipe(recipe, plain, scales, enlarged=enlarged)
    fabric = _fabric(recipe, device, several=len(scales) > 1 and not enlarged)
    examples = ExampleMaker(recipe, plain, fabric)
    plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in PyTorch's stubs
    compiled: Any = torch.compile(plain) if recipe.compile and fabric.device.type == "cuda" else plain
    network, optimizer = fabric.setup(compiled, optimisation.build(plain, recipe.optimizer))
    if recipe.variational is not None:
        network.mark_forward_method("elbo_terms")
    average = optimisation.Average(plain, recipe.optimizer.ema)
    adversary = None
    if recipe.discriminator is not None:
        side = recipe.window or recipe.data.patch * traits.scale
        adversary = Adversary(fabric, recipe.discriminator, traits.channels, side)
    teacher = None if recipe.teacher is None else _teacher(recipe.teacher, plain, fabric)
    criterion = Criterion(recipe.losses, LOSSES, recipe.precision).to(fabric.device)
    objective = Objective(network, criterion, recipe.variational, teacher, adversary)
    return Assembly(
        recipe, fabric, plain, network, optimizer, average, adversary, objective, examples, scales, enlarged
    )


def _teacher(settings: Teacher, network: nn.Module, fabric: Fabric) -> tuple[nn.Module, Teacher]:
    teacher = start.open_network(settings.model)
    check_teacher(settings.model, teacher, network)
    return teacher.to(fabric.device), settings


def _fabric(recipe: Recipe, device: str, *, several: bool) -> Fabric:
    """Set up one device, or under `torchrun` as many processes on as many machines as it has started."""
    local, world = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    # With several scales, a step uses the layers of one.
    strategy: Any = DDPStrategy(find_unused_parameters=several) if world > 1 else "auto"
    # Named, since Fabric would look for Slurm too, and warn wherever it is installed: inside a job, it is `torchrun`
    # that starts the processes.
    environment = TorchElasticEnvironment() if world > 1 else LightningEnvironment()
    try:
        fabric = Fabric(
            accelerator=device,
            devices=local,
            num_nodes=world // local,
            strategy=strategy,
            plugins=[environment],
            precision=PRECISIONS[recipe.precision],
        )
    except RuntimeError as error:
        raise UsageError(f"PyTorch {torch.__version__} does not find {device} here", Use(device="cpu")) from error
    fabric.launch()
    return fabric
