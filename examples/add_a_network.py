"""Add a network of your own, write it as a model, and use it; needs `pip install 'hyperacuity[torch]'`.

    python examples/add_a_network.py [FOLDER]

In the package a network is one file in src/hyperacuity/networks and one line in its table; here the line is added
as the program runs. CONTRIBUTING.md has the whole way, with training and tests.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
from torch import Tensor, nn

import hyperacuity
from hyperacuity.networks import NETWORKS, Declaration
from hyperacuity.zoo import Card


@dataclass(frozen=True)
class TinyConfig:
    """What decides the shape of the network; kept on the model's card."""

    scale: int = 2
    features: int = 8


class Tiny(nn.Module):
    """(N, 1, H, W) in [0, 1] -> (N, 1, H * scale, W * scale)."""

    Config = TinyConfig
    channels = 1  # luma; 3 would be RGB
    multiple = 1  # any height and width will do

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.extract = nn.Conv2d(1, config.features, 3, padding=1)
        self.expand = nn.Conv2d(config.features, config.scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.scale)
        nn.init.normal_(self.expand.weight, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.expand(self.extract(x).relu())  # (N, scale^2, H, W)
        y: Tensor = self.shuffle(residual + x)  # (N, 1, H * scale, W * scale)
        return y


def config_from_weights(weights: dict[str, Tensor]) -> dict[str, int]:
    """Recover the config from shapes, by which checkpoints of this network are recognised."""
    return {"scale": int(weights["expand.weight"].shape[0] ** 0.5), "features": weights["extract.weight"].shape[0]}


def main(folder: Path) -> None:
    """Write tiny-x2.safetensors into a folder, and enlarge an image with it."""
    NETWORKS["tiny"] = Declaration(Tiny, config_from_weights)
    network = Tiny(TinyConfig())
    # `hyperacuity.export.write_model` measures the last three, and writes an ONNX file for the other engines as well;
    # it needs `pip install 'hyperacuity[train]'`.
    card = Card(
        name="tiny-x2",
        architecture="tiny",
        scale=2,
        channels="Y",
        licence="Apache-2.0",
        trained_on="nothing: these weights are random",
        paper="none",
        config={"scale": 2, "features": 8},
        halo=2,  # two 3x3 convolutions reach two pixels far
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        activation_bytes=64,  # per input pixel: 8 + 4 + 4 float32 values
    )
    path = folder / "tiny-x2.safetensors"
    safetensors.torch.save_file(network.state_dict(), path, card.to_metadata())
    image = np.full((20, 30), 128, np.uint8)
    result = hyperacuity.upscale(image, scale=2, model=path)
    print(result.shape)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
