"""The transposed-convolution upscaler of the tutorials: two convolutions, a transposed one, a sigmoid.

The layer is that of Zeiler et al., "Deconvolutional Networks", CVPR 2010, and Long, Shelhamer, Darrell, "Fully
Convolutional Networks for Semantic Segmentation", CVPR 2015, arXiv 1411.4038, whose bilinear filter of side
2 * scale - scale % 2 is the initial value. The network around it has no particular author: introductions to
super-resolution build it to show the layer. Works on RGB. Written here, without other code.

Training begins near linear interpolation: the first channels carry the image through, and the transposed convolution
gives the sigmoid 4 (x - 1/2), of slope 1 at middle grey, so that only the contrast in light and shade is low.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, Weights


@dataclass(frozen=True)
class TransposedConfig:
    scale: int = 2
    n1: int = 64  # channels of the first layer
    n2: int = 32  # channels of the second layer


class Transposed(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H * scale, W * scale) within (0, 1)."""

    Config = TransposedConfig
    channels = 3
    multiple = 1

    def __init__(self, config: TransposedConfig) -> None:
        super().__init__()
        self.scale = config.scale
        side = 2 * config.scale - config.scale % 2
        self.first = nn.Conv2d(3, config.n1, 3, padding=1)
        self.second = nn.Conv2d(config.n1, config.n2, 3, padding=1)
        self.upscale = nn.ConvTranspose2d(config.n2, 3, side, stride=config.scale, padding=config.scale // 2)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()  # (N, n1, H, W)
        x = self.second(x).relu()  # (N, n2, H, W)
        x = self.upscale(x)  # (N, 3, H * scale, W * scale)
        return x.sigmoid()

    @torch.no_grad()
    def _initialise(self) -> None:
        """He's initialisation, and noise at the end; but the first three channels carry the image."""
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
        nn.init.normal_(self.upscale.weight, std=0.001)
        side = self.upscale.kernel_size[0]
        triangle = 1 - (torch.arange(side) - (side - 1) / 2).abs() / self.scale  # (side,): linear interpolation
        for c in range(3):
            for layer in (self.first, self.second):
                layer.weight[c] = 0
                layer.weight[c, c, 1, 1] = 1
            self.upscale.weight[c] = 0
            self.upscale.weight[c, c] = 4 * torch.outer(triangle, triangle)
        nn.init.constant_(self.upscale.bias, -2)  # type: ignore[arg-type]


def config_from_weights(weights: Weights) -> ConfigFields:
    """The config of a state dict in our own keys."""
    side = weights["upscale.weight"].shape[2]  # 2 * scale - scale % 2
    return {
        "scale": (side + 1) // 2,
        "n1": weights["first.weight"].shape[0],
        "n2": weights["second.weight"].shape[0],
    }


DECLARATION = Declaration(Transposed, config_from_weights)
