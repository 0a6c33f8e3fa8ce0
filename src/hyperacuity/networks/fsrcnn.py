"""FSRCNN: shrink, map and expand at low resolution, then one deconvolution to high resolution.

Dong, Loy, Tang: "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016,
arXiv 1608.00367. Written from the paper, without other code; nothing differs from it. Works on luma.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class FSRCNNConfig:
    scale: int = 2
    d: int = 56  # channels of the feature extraction and of the expansion
    s: int = 12  # channels of the mapping, where the depth is cheap
    m: int = 4  # mapping layers


class FSRCNN(nn.Module):
    """(N, 1, H, W) luma -> (N, 1, H * scale, W * scale)."""

    Config = FSRCNNConfig

    def __init__(self, config: FSRCNNConfig) -> None:
        super().__init__()
        self.extract = nn.Sequential(nn.Conv2d(1, config.d, 5, padding=2), nn.PReLU(config.d))
        self.shrink = nn.Sequential(nn.Conv2d(config.d, config.s, 1), nn.PReLU(config.s))
        self.map = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(config.s, config.s, 3, padding=1), nn.PReLU(config.s)) for _ in range(config.m))
        )
        self.expand = nn.Sequential(nn.Conv2d(config.s, config.d, 1), nn.PReLU(config.d))
        self.deconvolve = nn.ConvTranspose2d(
            config.d, 1, 9, stride=config.scale, padding=4, output_padding=config.scale - 1
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)  # PReLU's initial slope
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
        nn.init.normal_(self.deconvolve.weight, std=0.001)
        nn.init.zeros_(self.deconvolve.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.extract(x)  # (N, d, H, W)
        x = self.shrink(x)  # (N, s, H, W)
        x = self.map(x)  # (N, s, H, W)
        x = self.expand(x)  # (N, d, H, W)
        y: Tensor = self.deconvolve(x)  # (N, 1, H * scale, W * scale)
        return y
