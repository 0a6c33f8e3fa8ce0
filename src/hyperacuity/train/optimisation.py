"""What makes a gradient a step: optimisers, the rate of each step, clipping."""

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
    """An optimiser with a group of parameters for each part of the rate; `set_rate` sets it before each step.

    Those whose part is 0 are asked for no gradient any more.
    Raises `UsageError` for a key of `slower` with which no parameter begins, and where nothing is left to learn.
    """
    named = dict(network.named_parameters())
    for prefix in how.slower:
        if not any(name.startswith(prefix) for name in named):
            raise UsageError(f"optimizer.slower: no parameter begins with {prefix!r}; there are {', '.join(named)}")
    parts: dict[float, list[nn.Parameter]] = {}
    for name, parameter in named.items():
        part = next((part for prefix, part in how.slower.items() if name.startswith(prefix)), 1.0)
        if part:
            parts.setdefault(part, []).append(parameter)
        else:
            parameter.requires_grad_(False)
    if not parts:
        raise UsageError("optimizer.slower: no parameter is left to learn: leave out a 0")
    groups: list[dict[str, Any]] = [{"params": parameters, "part": part} for part, parameters in parts.items()]
    if how.kind == "sgd":
        return torch.optim.SGD(groups, how.lr, momentum=how.momentum, weight_decay=how.weight_decay, fused=True)
    if how.kind == "muon":
        return Muon(groups, how.lr, momentum=how.momentum, betas=how.betas, weight_decay=how.weight_decay)
    kind = torch.optim.Adam if how.kind == "adam" else torch.optim.AdamW
    # Fused: one pass over all parameters, where one for each takes a small network a tenth of a step.
    return kind(groups, how.lr, betas=how.betas, weight_decay=how.weight_decay, fused=True)


def rate(step: int, steps: int, highest: float, schedule: Schedule) -> float:
    """The rate of step 0 .. steps - 1, at most `highest`."""
    if isinstance(schedule, OneCycle):
        top = schedule.rise * steps
        low, done = (schedule.begin * highest, step / top) if step < top else (schedule.final_lr, 1.0)
        if step >= top:
            done = 1 - (step - top) / max(1.0, steps - top)
        return low + (highest - low) * (1 - math.cos(math.pi * done)) / 2
    if step < schedule.warm_up:
        return highest * (step + 1) / schedule.warm_up
    if isinstance(schedule, Cosine):
        done = (step - schedule.warm_up) / max(1, steps - schedule.warm_up)
        return schedule.final_lr + (highest - schedule.final_lr) * (1 + math.cos(math.pi * done)) / 2
    return highest * schedule.factor ** _stairs(step, schedule)


def _stairs(step: int, schedule: Stairs) -> int:
    return sum(step >= at for at in schedule.at) if schedule.every is None else step // schedule.every


def set_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value * group["part"]


class Average:
    """An exponential average of a network's parameters, `module`; its buffers are those of the network.

    PyTorch's `AveragedModel` does the same, but looks for every tensor anew at each step, which takes a small network
    a twentieth of it.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network)
        self._own, self._theirs = list(self.module.parameters()), list(network.parameters())
        self._buffers = list(zip(self.module.buffers(), network.buffers(), strict=True))
        self._lerp: Any = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update(self, *, first: bool) -> None:
        """Take in what the network has learnt; the first time, take it over."""
        if first:
            for own, theirs in zip(self._own, self._theirs, strict=True):
                own.copy_(theirs)
        else:
            self._lerp(self._own, self._theirs, 0)
        for buffer, now in self._buffers:
            buffer.copy_(now)


def clip(fabric: Fabric, network: _FabricModule, optimizer: _FabricOptimizer, how: Optimizer, value: float) -> None:
    """Hold the gradients within what the recipe allows at a rate of `value`."""
    if how.clip_norm is not None:
        fabric.clip_gradients(network, optimizer, max_norm=how.clip_norm, error_if_nonfinite=False)
    elif how.clip_adjustable is not None:
        fabric.clip_gradients(network, optimizer, clip_val=how.clip_adjustable / value)
