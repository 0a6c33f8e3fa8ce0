"""From gradients to steps: optimisers, learning rates, clipping, averaged weights."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from hyperacuity.errors import UsageError
from hyperacuity.train.muon import Muon
from hyperacuity.train.recipe import Cosine, OneCycle, Optimizer, Schedule, Stairs


def build(network: nn.Module, how: Optimizer) -> torch.optim.Optimizer:
    """Build an optimiser with a group of parameters for each factor of the learning rate.

    Parameters with a factor of 0 no longer require gradients. `set_rate` sets the learning rate before each step.

    Raises:
        UsageError: For a key of `rate_factors` that no parameter's name begins with, and if all factors are 0.
    """
    named = dict(network.named_parameters())
    for prefix in how.rate_factors:
        if not any(name.startswith(prefix) for name in named):
            raise UsageError(
                f"optimizer.rate_factors: no parameter begins with {prefix!r}; there are {', '.join(named)}"
            )
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in named.items():
        factor = next((factor for prefix, factor in how.rate_factors.items() if name.startswith(prefix)), 1.0)
        if factor:
            by_factor.setdefault(factor, []).append(parameter)
        else:
            parameter.requires_grad_(False)
    if not by_factor:
        raise UsageError("optimizer.rate_factors: no parameter is left to learn: raise a factor above 0")
    groups: list[dict[str, Any]] = [{"params": parameters, "part": factor} for factor, parameters in by_factor.items()]
    if how.kind == "sgd":
        return torch.optim.SGD(groups, how.lr, momentum=how.momentum, weight_decay=how.weight_decay, fused=True)
    if how.kind == "muon":
        return Muon(groups, how.lr, momentum=how.momentum, betas=how.betas, weight_decay=how.weight_decay)
    kind = torch.optim.Adam if how.kind == "adam" else torch.optim.AdamW
    # Fused: one pass over all parameters; one pass for each would take a tenth of a small network's step.
    return kind(groups, how.lr, betas=how.betas, weight_decay=how.weight_decay, fused=True)


def rate(step: int, steps: int, highest: float, schedule: Schedule) -> float:
    """Compute the learning rate of a step, from 0 to steps - 1; `highest` is its maximum."""
    if isinstance(schedule, OneCycle):
        top = schedule.rise_fraction * steps
        low, done = (schedule.initial_factor * highest, step / top) if step < top else (schedule.final_lr, 1.0)
        if step >= top:
            done = 1 - (step - top) / max(1.0, steps - top)
        return low + (highest - low) * (1 - math.cos(math.pi * done)) / 2
    if step < schedule.warm_up:
        return highest * (step + 1) / schedule.warm_up
    if isinstance(schedule, Cosine):
        done = (step - schedule.warm_up) / max(1, steps - schedule.warm_up)
        return schedule.final_lr + (highest - schedule.final_lr) * (1 + math.cos(math.pi * done)) / 2
    return highest * schedule.factor ** _drops(step, schedule)


def _drops(step: int, schedule: Stairs) -> int:
    return sum(step >= at for at in schedule.milestones) if schedule.every is None else step // schedule.every


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate, times the factor of each group."""
    for group in optimizer.param_groups:
        group["lr"] = value * group["part"]


class Average:
    """An exponential average of a network's parameters, `module`; its buffers are those of the network.

    PyTorch's `AveragedModel` does the same, but searches for all tensors at each step, which takes a twentieth of a
    small network's step.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network)
        self._own, self._theirs = list(self.module.parameters()), list(network.parameters())
        self._buffers = list(zip(self.module.buffers(), network.buffers(), strict=True))
        self._lerp: Any = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update(self, *, first: bool) -> None:
        """Average in the network's weights; the first time, copy them."""
        if first:
            for own, theirs in zip(self._own, self._theirs, strict=True):
                own.copy_(theirs)
        else:
            self._lerp(self._own, self._theirs, 0)
        for buffer, now in self._buffers:
            buffer.copy_(now)


def clip(fabric: Fabric, network: _FabricModule, optimizer: _FabricOptimizer, how: Optimizer, value: float) -> None:
    """Clip the gradients as the recipe says, at the learning rate `value`."""
    if how.clip_norm is not None:
        fabric.clip_gradients(network, optimizer, max_norm=how.clip_norm, error_if_nonfinite=False)
    elif how.clip_adjustable is not None:
        fabric.clip_gradients(network, optimizer, clip_val=how.clip_adjustable / value)
