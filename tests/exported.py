"""Networks of the table with random weights, exported as models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hyperacuity import engines, export
from hyperacuity.networks import NETWORKS, as_network
from hyperacuity.zoo import Card, Model
from tests.test_networks import built

# Attention that multiplies what it attends to dies out or explodes; at this gain of the random weights neither happens.
GAIN = {"span": 0.9}
# Networks with operators that are not made for ncnn, and the first of them.
NOT_FOR_NCNN = {
    "dat": "Squeeze",
    "imdn": "ReduceMean",
    "msrresnet": "Resize",
    "plksr": "Erf",
    "rcan": "ReduceMean",
    "residual_transposed": "Resize",
    "swinir": "Squeeze",
}


def runs(model: Model) -> list[str]:
    """The engines that can run it."""
    refused = model.card.architecture in NOT_FOR_NCNN
    return [name for name in engines.ENGINES if not (name == "ncnn" and refused)]


def export_random(architecture: str, folder: Path) -> None:
    """Write model.safetensors and model.onnx of a small network."""
    network = built(architecture).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_normal_(parameter, GAIN.get(architecture, 1.0))
    own = as_network(network)
    card = Card(
        name="model",
        architecture=architecture,
        config=NETWORKS[architecture].small,
        scale=own.scale,
        channels="Y" if own.channels == 1 else "RGB",
        licence="none",
        trained_on="nothing",
        paper="none",
        **export.measure_network(network),
    )
    export.write_model(network, card, folder)


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).random(shape, np.float32)


def size_of(values: Any) -> float:
    """What a tolerance is relative to: random weights may lead far out of [0, 1]."""
    return max(1.0, float(np.abs(values).max()))
