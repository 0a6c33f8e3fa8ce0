"""FSRCNN: shrink, map and expand at low resolution, then one deconvolution to high resolution.

Dong, Loy, Tang: "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016,
arXiv 1608.00367. Written from the paper, without other code. Works on luma.

What differs is where training begins: the first channel of each layer carries the image through, and its
deconvolution interpolates linearly. The paper begins with noise, and a short training then spends itself on learning
to interpolate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Undetermined, Weights
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys


@dataclass(frozen=True)
class FSRCNNConfig:
    scale: int = 2
    d: int = 56  # channels of the feature extraction and of the expansion
    s: int = 12  # channels of the mapping, where the depth is cheap
    m: int = 4  # mapping layers


class FSRCNN(nn.Module):
    """(N, 1, H, W) luma -> (N, 1, H * scale, W * scale)."""

    Config = FSRCNNConfig
    channels = 1
    multiple = 1

    def __init__(self, config: FSRCNNConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.extract = nn.Sequential(nn.Conv2d(1, config.d, 5, padding=2), nn.PReLU(config.d))
        self.shrink = nn.Sequential(nn.Conv2d(config.d, config.s, 1), nn.PReLU(config.s))
        self.map = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(config.s, config.s, 3, padding=1), nn.PReLU(config.s)) for _ in range(config.m))
        )
        self.expand = nn.Sequential(nn.Conv2d(config.s, config.d, 1), nn.PReLU(config.d))
        self.deconvolve = nn.ConvTranspose2d(
            config.d, 1, 9, stride=config.scale, padding=4, output_padding=config.scale - 1
        )
        self._initialise(config.scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.extract(x)  # (N, d, H, W)
        x = self.shrink(x)  # (N, s, H, W)
        x = self.map(x)  # (N, s, H, W)
        x = self.expand(x)  # (N, d, H, W)
        y: Tensor = self.deconvolve(x)  # (N, 1, H * scale, W * scale)
        return y

    @torch.no_grad()
    def _initialise(self, scale: int) -> None:
        """He's initialisation; but each layer's first channel is the identity, and at the end linear interpolation."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)  # PReLU's initial slope
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
                layer.weight[0] = 0
                layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
        nn.init.normal_(self.deconvolve.weight, std=0.001)
        nn.init.zeros_(self.deconvolve.bias)  # type: ignore[arg-type]
        # Tap k of output o lies over input i where o = scale * i + k - 4; x is the distance of their centres.
        x = ((torch.arange(9) - 4 + 0.5) / scale - 0.5).abs()
        triangle = (1 - x).clamp(min=0)
        for phase in range(scale):  # at x4 nine taps do not hold all of it; the mean stays right
            triangle[phase::scale] /= triangle[phase::scale].sum()
        self.deconvolve.weight[0, 0] = torch.outer(triangle, triangle)


def _config_from_weights(weights: Weights) -> ConfigFields:
    # The deconvolution has nine taps a side whatever its stride, and its stride is not stored.
    s, d = weights["shrink.0.weight"].shape[:2]
    return {"scale": Undetermined(tuple(range(2, 9))), "d": d, "s": s, "m": count_modules(weights, "map")}


def _from_yjn870(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    last = count_modules(weights, "mid_part") - 2  # the expansion; before it convolutions and PReLUs alternate

    def middle(found: re.Match[str]) -> str:
        number = int(found[1])
        if number < 2:
            return f"shrink.{number}"
        return f"expand.{number - last}" if number >= last else f"map.{number // 2 - 1}.{number % 2}"

    rules: dict[str, Replacement] = {r"first_part\.([01])": r"extract.\1", r"mid_part\.(\d+)": middle}
    renamed = rename_keys(weights, rules | {"last_part": "deconvolve"})
    return None if renamed is None else (renamed, {})


DECLARATION = Declaration(
    FSRCNN,
    _config_from_weights,
    paper="arXiv:1608.00367",
    layouts=(KeyLayout("FSRCNN of yjn870", _from_yjn870, "first_part mid_part last_part"),),
    published_counts=(
        PublishedCount({"d": 56, "s": 12, "m": 4}, 12_464, biases=False),
        PublishedCount({"d": 48, "s": 12, "m": 2}, 8_832, biases=False),
        PublishedCount({"d": 32, "s": 5, "m": 1}, 3_937, biases=False),
    ),
)
