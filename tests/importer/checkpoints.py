"""Checkpoints for the importer's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.test_networks import built
from torch import Tensor, nn

Weights = dict[str, Tensor]


def saved(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


def bare(name: str, noise: float = 0.01, **config: Any) -> tuple[nn.Module, Weights]:
    network = built(name, **config)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():  # nothing is left as it began
        parameter.data += noise * torch.randn(parameter.shape, generator=generator)
    return network, network.state_dict()
