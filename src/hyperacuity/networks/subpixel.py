"""The sub-pixel upscaler of the tutorials: two convolutions, a third that makes scale^2 sub-pixels, a sigmoid.

The layer is that of Shi et al., CVPR 2016, arXiv 1609.05158; the network around it has no particular author:
introductions to super-resolution build it to show the layer. Works on RGB. Written here, without other code.

Training begins near linear interpolation: the first channels carry the image through, and the last convolution gives
the sigmoid 4 (x - 1/2), of slope 1 at middle grey, so that only the contrast in light and shade is low.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, Weights


@dataclass(frozen=True)
class SubPixelConfig:
    scale: int = 2
    n1: int = 64  # channels of the first layer
    n2: int = 32  # channels of the second layer


class SubPixel(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H * scale, W * scale) within (0, 1)."""

    Config = SubPixelConfig
    channels = 3
    multiple = 1

    def __init__(self, config: SubPixelConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.first = nn.Conv2d(3, config.n1, 3, padding=1)
        self.second = nn.Conv2d(config.n1, config.n2, 3, padding=1)
        self.expand = nn.Conv2d(config.n2, 3 * config.scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.scale)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()  # (N, n1, H, W)
        x = self.second(x).relu()  # (N, n2, H, W)
        x = self.shuffle(self.expand(x))  # (N, 3, H * scale, W * scale)
        return x.sigmoid()

    @torch.no_grad()
    def _initialise(self) -> None:
        """He's initialisation, and noise at the end; but the first three channels carry the image."""
        for layer in (self.first, self.second, self.expand):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
        nn.init.normal_(self.expand.weight, std=0.001)
        phases = (torch.arange(self.scale) + 0.5) / self.scale - 0.5  # of the output pixels, within their input pixel
        taps = (1 - (torch.arange(-1, 2) - phases[:, None]).abs()).clamp(min=0)  # (scale, 3): linear interpolation
        kernels = torch.einsum("ay,bx->abyx", taps, taps).flatten(0, 1)  # (scale^2, 3, 3), as the shuffle wants them
        for c in range(3):
            for layer in (self.first, self.second):
                layer.weight[c] = 0
                layer.weight[c, c, 1, 1] = 1
            self.expand.weight[:, c] = 0
            self.expand.weight[c * self.scale**2 : (c + 1) * self.scale**2, c] = 4 * kernels
        nn.init.constant_(self.expand.bias, -2)  # type: ignore[arg-type]


def _config_from_weights(weights: Weights) -> ConfigFields:
    scale = isqrt(weights["expand.weight"].shape[0] // 3)
    return {"scale": scale, "n1": weights["first.weight"].shape[0], "n2": weights["second.weight"].shape[0]}


DECLARATION = Declaration(SubPixel, _config_from_weights, paper="arXiv:1609.05158")
