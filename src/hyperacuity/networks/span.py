"""SPAN: six blocks whose attention has no parameters, of convolutions that are five while training and one after.

Wan, Yu, Shi, Li, Song, Li, Zhang, Hong, Sun: "Swift Parameter-free Attention Network for Efficient Super-Resolution",
CVPR Workshops (NTIRE) 2024, arXiv 2311.12770. Written from the paper, without other code; the modules have the names
that published weights have. The authors' code is Apache-2.0; weights have the licence of who trained them. Works on
RGB.

What differs: the branches are multiplied into one 3x3 kernel at each step of the training too, which gives the same
function and gradients and costs a fraction (Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super
Resolution", MLSys 2022, arXiv 2103.09404, section 3.3). As in the authors' code the features concatenated from within
are the first convolution of the last block, after its activation, where the paper's figure draws the fifth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights


@dataclass(frozen=True)
class SPANConfig:
    scale: int = 4
    features: int = 48  # channels; the winner of NTIRE 2024 has 28
    gain: int = 2  # how much wider the branches are inside
    norm: bool = (
        True  # work on (RGB - DIV2K's mean) * 255 as the paper does; False: on [0, 1], as many users' weights do
    )
    folded: bool = False  # one kernel in place of the branches: the form for inference


# The means of DIV2K's red, green and blue.
_MEAN = (0.4488, 0.4371, 0.4040)


class SPAN(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = SPANConfig
    channels = 3
    multiple = 1

    def __init__(self, config: SPANConfig) -> None:
        super().__init__()
        f = config.features
        self.config = config
        self.scale = config.scale
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv_1 = _Conv3XC(3, f, config)
        self.block_1 = _SPAB(f, config)
        self.block_2 = _SPAB(f, config)
        self.block_3 = _SPAB(f, config)
        self.block_4 = _SPAB(f, config)
        self.block_5 = _SPAB(f, config)
        self.block_6 = _SPAB(f, config)
        self.conv_cat = nn.Conv2d(4 * f, f, 1)
        self.conv_2 = _Conv3XC(f, f, config)
        self.upsampler = nn.Sequential(nn.Conv2d(f, 3 * config.scale**2, 3, padding=1), nn.PixelShuffle(config.scale))

    def forward(self, x: Tensor) -> Tensor:
        if self.config.norm:
            x = (x - self.get_buffer("mean")) * 255  # (N, 3, H, W)
        head = self.conv_1(x)  # (N, features, H, W)
        first, _ = self.block_1(head)  # (N, features, H, W)
        x, _ = self.block_2(first)
        x, _ = self.block_3(x)
        x, _ = self.block_4(x)
        x, _ = self.block_5(x)
        x, within = self.block_6(x)  # (N, features, H, W) both
        x = self.conv_cat(torch.cat((head, self.conv_2(x), first, within), 1))  # (N, features, H, W)
        y: Tensor = self.upsampler(x)  # (N, 3, H * scale, W * scale)
        return y

    @torch.no_grad()
    def folded(self) -> SPAN:
        """The same function with one kernel in place of each set of branches."""
        if self.config.folded:
            return self
        network = SPAN(replace(self.config, folded=True)).to(self.conv_cat.weight)
        weights = self.state_dict()
        for name, layer in self.named_modules():
            if isinstance(layer, _Conv3XC):
                weights[f"{name}.eval_conv.weight"], weights[f"{name}.eval_conv.bias"] = layer.kernel()
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
        return network.train(self.training)


class _SPAB(nn.Module):
    """Three convolutions; the last is attention to itself, odd about zero, so that it needs no parameters."""

    def __init__(self, features: int, config: SPANConfig) -> None:
        super().__init__()
        self.c1_r = _Conv3XC(features, features, config)
        self.c2_r = _Conv3XC(features, features, config)
        self.c3_r = _Conv3XC(features, features, config)
        self.act1 = nn.SiLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.act1(self.c1_r(x))  # (N, features, H, W)
        third = self.c3_r(self.act1(self.c2_r(first)))  # (N, features, H, W)
        attention = torch.sigmoid(third) - 0.5
        return (third + x) * attention, first


class _Conv3XC(nn.Module):
    """A 3x3 convolution as two branches: 1x1, 3x3 and 1x1 in a row, and one 1x1. `eval_conv` is both, folded."""

    def __init__(self, inputs: int, outputs: int, config: SPANConfig) -> None:
        super().__init__()
        self.is_folded = config.folded
        if config.folded:
            self.eval_conv = nn.Conv2d(inputs, outputs, 3, padding=1)
            return
        self.sk = nn.Conv2d(inputs, outputs, 1)
        # The zeros around the image come before all three, hence no padding in the middle one.
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, config.gain * inputs, 1),
            nn.Conv2d(config.gain * inputs, config.gain * outputs, 3),
            nn.Conv2d(config.gain * outputs, outputs, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.is_folded:
            y: Tensor = self.eval_conv(x)  # (N, outputs, H, W)
            return y
        return functional.conv2d(x, *self.kernel(), padding=1)  # (N, outputs, H, W)

    def kernel(self) -> tuple[Tensor, Tensor]:
        """Returns the kernel (outputs, inputs, 3, 3) that equals both branches, and its bias (outputs)."""
        (w1, b1), (w2, b2), (w3, b3) = (self._layer(f"conv.{number}") for number in range(3))
        shortcut, b4 = self._layer("sk")
        w1, w3 = w1[:, :, 0, 0], w3[:, :, 0, 0]
        weight = torch.einsum("op,pqhw,qi->oihw", w3, w2, w1) + functional.pad(shortcut, (1, 1, 1, 1))
        bias = w3 @ (w2.sum((2, 3)) @ b1 + b2) + b3 + b4
        return weight, bias

    def _layer(self, layer: str) -> tuple[Tensor, Tensor]:
        return self.get_parameter(f"{layer}.weight"), self.get_parameter(f"{layer}.bias")


def _config_from_weights(weights: Weights) -> ConfigFields:
    features = weights["conv_cat.weight"].shape[0]
    config: ConfigFields = {"scale": isqrt(weights["upsampler.0.weight"].shape[0] // 3), "features": features}
    if "conv_2.conv.0.weight" in weights:
        return config | {"gain": weights["conv_2.conv.0.weight"].shape[0] // features}
    return config | {"folded": True}


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Drops the stored fold of the branches, which may be outdated: the branches are right.

    Weights trained without the normalisation have a tensor `no_norm`.
    """
    ours = {name: value for name, value in weights.items() if name != "no_norm"}
    config: ConfigFields = {"norm": False} if len(ours) < len(weights) else {}
    if any(".eval_conv." in name for name in ours) and any(".sk." in name for name in ours):
        ours = {name: value for name, value in ours.items() if ".eval_conv." not in name}
    return (ours, config) if len(ours) < len(weights) else None


DECLARATION = Declaration(
    SPAN,
    _config_from_weights,
    paper="arXiv:2311.12770",
    layouts=(KeyLayout("SPAN of its authors", _from_authors, "eval_conv sk conv c1_r no_norm"),),
    published_counts=(
        PublishedCount({"folded": True}, 426_288, biases=True),
        PublishedCount({"folded": True, "features": 28}, 150_688, biases=True),
    ),
    small={"features": 12},
)
