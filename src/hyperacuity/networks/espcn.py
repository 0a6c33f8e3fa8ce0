"""ESPCN: all work at low resolution, and a pixel shuffle at the end; the paper that introduced it.

Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert, Wang: "Real-Time Single Image and Video Super-Resolution Using
an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, arXiv 1609.05158, section 3.2. Written from the paper,
without other code. Works on luma; `channels = 3` is what many ports make of it.

What differs is where training begins: the first channels of each layer carry the image through, and the last layer
interpolates it linearly. With tanh that image is small and centred, where tanh is nearly a line. What the other
kernels of the first layer answer does not depend on the level of grey, so that the activation bends at edges, not at
some brightness (docs/training-notes.md has what that is worth).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.state_dicts import count_modules, rename_keys


@dataclass(frozen=True)
class ESPCNConfig:
    scale: int = 2
    activation: Literal["tanh", "relu"] = "tanh"  # the paper measures both, and tanh better
    padding: Literal["zeros", "replicate"] = "zeros"  # what lies beyond the border, for every layer
    n1: int = 64  # channels of the first layer
    n2: int = 32  # channels of the second layer
    channels: int = 1  # 1: luma, as in the paper; 3: RGB
    deeper: int = 0  # further layers of n1 channels behind the first, of which the paper has none


class ESPCN(nn.Module):
    """(N, channels, H, W) -> (N, channels, H * scale, W * scale)."""

    Config = ESPCNConfig
    multiple = 1

    def __init__(self, config: ESPCNConfig) -> None:
        super().__init__()
        if config.activation not in ("tanh", "relu"):
            raise ValueError(f"activation must be 'tanh' or 'relu', not {config.activation!r}")
        mode = config.padding
        self.scale = config.scale
        self.channels = config.channels
        self.activate = nn.Tanh() if config.activation == "tanh" else nn.ReLU()
        self.extract = nn.Conv2d(config.channels, config.n1, 5, padding=2, padding_mode=mode)
        self.deeper = nn.ModuleList(
            nn.Conv2d(config.n1, config.n1, 3, padding=1, padding_mode=mode) for _ in range(config.deeper)
        )
        self.map = nn.Conv2d(config.n1, config.n2, 3, padding=1, padding_mode=mode)
        self.expand = nn.Conv2d(config.n2, config.channels * config.scale**2, 3, padding=1, padding_mode=mode)
        self.shuffle = nn.PixelShuffle(config.scale)
        self._initialise(*((0.25, 0.5, 2.0) if config.activation == "tanh" else (1.0, 0.0, 0.6)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.activate(self.extract(x))  # (N, n1, H, W)
        for layer in self.deeper:
            x = self.activate(layer(x))  # (N, n1, H, W)
        x = self.activate(self.map(x))  # (N, n2, H, W)
        x = self.expand(x)  # (N, channels * scale^2, H, W)
        y: Tensor = self.shuffle(x)  # (N, channels, H * scale, W * scale)
        return y

    @torch.no_grad()
    def _initialise(self, gain: float, centre: float, spread: float) -> None:
        """First kernels of a sum of 0 and a deviation of `spread`, then Glorot's initialisation, and noise at the end;
        but the first channels carry gain * (x - centre).
        """
        deeper = [layer for layer in self.deeper if isinstance(layer, nn.Conv2d)]
        for layer in (self.extract, *deeper, self.map, self.expand):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
        nn.init.normal_(self.extract.weight, std=spread)
        self.extract.weight -= self.extract.weight.mean((1, 2, 3), keepdim=True)
        nn.init.normal_(self.expand.weight, std=0.001 * gain)
        phases = (torch.arange(self.scale) + 0.5) / self.scale - 0.5  # of the output pixels, within their input pixel
        taps = (1 - (torch.arange(-1, 2) - phases[:, None]).abs()).clamp(min=0)  # (scale, 3): linear interpolation
        kernels = torch.einsum("ay,bx->abyx", taps, taps).flatten(0, 1)  # (scale^2, 3, 3), as the shuffle wants them
        for c in range(self.channels):
            own = slice(c * self.scale**2, (c + 1) * self.scale**2)
            self.extract.weight[c] = 0
            self.extract.weight[c, c, 2, 2] = gain
            self.extract.bias[c] = -gain * centre  # type: ignore[index]
            for layer in (*deeper, self.map):
                layer.weight[c] = 0
                layer.weight[c, c, 1, 1] = 1
            self.expand.weight[:, c] = 0
            self.expand.weight[own, c] = kernels / gain
            self.expand.bias[own] = centre  # type: ignore[index]


def _config_from_weights(weights: Weights) -> ConfigFields:
    n1, channels = weights["extract.weight"].shape[:2]
    scale = isqrt(weights["expand.weight"].shape[0] // channels)
    n2, deeper = weights["map.weight"].shape[0], count_modules(weights, "deeper")
    return {"scale": scale, "n1": n1, "n2": n2, "channels": channels, "deeper": deeper}


def _from_nhat_thanh(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    renamed = rename_keys(weights, {"conv_1": "extract", "conv_2": "map", "conv_3": "expand"})
    return None if renamed is None else (renamed, {"activation": "tanh"})


def _from_yjn870(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    rules = {r"first_part\.0": "extract", r"first_part\.2": "map", r"last_part\.0": "expand"}
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {"activation": "tanh"})


def _from_pytorch(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """PyTorch's tutorial on ONNX: four layers with ReLU."""
    renamed = rename_keys(weights, {"conv1": "extract", "conv2": "deeper.0", "conv3": "map", "conv4": "expand"})
    return None if renamed is None or len(renamed) != 8 else (renamed, {"activation": "relu"})


DECLARATION = Declaration(
    ESPCN,
    _config_from_weights,
    paper="arXiv:1609.05158",
    layouts=(
        KeyLayout("ESPCN of nhat-thanh", _from_nhat_thanh),
        KeyLayout("ESPCN of PyTorch's tutorial", _from_pytorch),
        KeyLayout("ESPCN of yjn870", _from_yjn870, "first_part last_part"),
    ),
    published_counts=(
        PublishedCount({"scale": 2}, 21_184, biases=False),
        PublishedCount({"scale": 3}, 22_624, biases=False),
        PublishedCount({"scale": 4}, 24_640, biases=False),
    ),
)
