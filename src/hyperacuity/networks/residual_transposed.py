"""The transposed-convolution upscaler with a residual connection: the network only learns what interpolation lacks.

The tutorials' network of `transposed.py`; the connection is that of Kim et al. (VDSR), CVPR 2016, arXiv 1511.04587.
Works on RGB. Written here, without other code.

Where an output must end in a sigmoid, the tutorials add the interpolated image before it, which is then no image any
more, or after it, which only ever makes it brighter. Here the residual is added to the interpolated image's logit:

    y = sigmoid(logit(interpolated) + residual)

so that a residual of zero is the interpolated image itself, and every residual gives a colour. Black and white have no
logit: they are taken as 1/512 and 511/512, half a level of 8 bits. Training begins at linear interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from hyperacuity.networks.declaration import Declaration
from hyperacuity.networks.transposed import config_from_weights


@dataclass(frozen=True)
class ResidualTransposedConfig:
    scale: int = 2
    n1: int = 64  # channels of the first layer
    n2: int = 32  # channels of the second layer


class ResidualTransposed(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H * scale, W * scale) within (0, 1)."""

    Config = ResidualTransposedConfig
    channels = 3
    multiple = 1

    def __init__(self, config: ResidualTransposedConfig) -> None:
        super().__init__()
        self.scale = config.scale
        side = 2 * config.scale - config.scale % 2
        self.first = nn.Conv2d(3, config.n1, 3, padding=1)
        self.second = nn.Conv2d(config.n1, config.n2, 3, padding=1)
        self.upscale = nn.ConvTranspose2d(config.n2, 3, side, stride=config.scale, padding=config.scale // 2)
        self.interpolate = nn.Upsample(scale_factor=config.scale, mode="bilinear", align_corners=False)
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # both have one
        nn.init.normal_(self.upscale.weight, std=0.001)
        nn.init.zeros_(self.upscale.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        base: Tensor = self.interpolate(x).clamp(1 / 512, 511 / 512)  # (N, 3, H * scale, W * scale)
        x = self.first(x).relu()  # (N, n1, H, W)
        x = self.second(x).relu()  # (N, n2, H, W)
        x = self.upscale(x)  # (N, 3, H * scale, W * scale)
        logit = (base / (1 - base)).log()
        return (logit + x).sigmoid()


# Its layers are those of `Transposed`.
DECLARATION = Declaration(ResidualTransposed, config_from_weights)
