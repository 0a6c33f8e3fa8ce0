"""IMDN: blocks that set a quarter of their channels aside after each convolution and work on with the rest.

Hui, Gao, Yang, Wang: "Lightweight Image Super-Resolution with Information Multi-distillation Network", ACM Multimedia
2019, arXiv 1909.11856. Written from the paper and from the shapes of its published weights, without other code; the
modules have the names that these weights have (without `module.`). The authors publish code and weights without a
licence: not for shipping. Works on RGB.

What differs: the contrast of a flat channel has a gradient (its variance is 1e-12 at least), which the paper leaves
undefined. The channel attention looks at the whole image: an image cut into tiles gives nearly the same image, not
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, PublishedCount, Weights


@dataclass(frozen=True)
class IMDNConfig:
    scale: int = 2
    features: int = 64  # channels; a quarter of them is set aside at each step
    blocks: int = 6
    reduction: int = 16  # the attention's hidden layer has features / reduction channels


class IMDN(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = IMDNConfig
    channels = 3
    multiple = 1

    def __init__(self, config: IMDNConfig) -> None:
        super().__init__()
        f = config.features
        self.scale = config.scale
        self.fea_conv = nn.Conv2d(3, f, 3, padding=1)
        self.names = [f"IMDB{number}" for number in range(1, config.blocks + 1)]
        for name in self.names:
            self.add_module(name, _Block(f, config.reduction))
        self.c = nn.Sequential(nn.Conv2d(f * config.blocks, f, 1), nn.LeakyReLU(0.05))
        self.LR_conv = nn.Conv2d(f, f, 3, padding=1)
        self.upsampler = nn.Sequential(nn.Conv2d(f, 3 * config.scale**2, 3, padding=1), nn.PixelShuffle(config.scale))

    def forward(self, x: Tensor) -> Tensor:
        first = self.fea_conv(x)  # (N, features, H, W)
        results = [first]
        for name in self.names:
            results.append(self.get_submodule(name)(results[-1]))  # (N, features, H, W)
        x = self.c(torch.cat(results[1:], 1))  # (N, features, H, W)
        x = self.LR_conv(x) + first  # (N, features, H, W)
        y: Tensor = self.upsampler(x)  # (N, 3, H * scale, W * scale)
        return y


class _Block(nn.Module):
    """Three times: convolve, set a quarter aside; then one convolution more, attention over all that was set aside."""

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.sizes = [features // 4, features - features // 4]
        aside, rest = self.sizes
        self.c1 = nn.Conv2d(features, features, 3, padding=1)
        self.c2 = nn.Conv2d(rest, features, 3, padding=1)
        self.c3 = nn.Conv2d(rest, features, 3, padding=1)
        self.c4 = nn.Conv2d(rest, aside, 3, padding=1)
        self.c5 = nn.Conv2d(4 * aside, features, 1)
        self.cca = _Attention(4 * aside, reduction)
        self.act = nn.LeakyReLU(0.05)

    def forward(self, x: Tensor) -> Tensor:
        aside1, rest = self.act(self.c1(x)).split(self.sizes, 1)  # (N, features / 4, H, W), (N, 3 features / 4, H, W)
        aside2, rest = self.act(self.c2(rest)).split(self.sizes, 1)
        aside3, rest = self.act(self.c3(rest)).split(self.sizes, 1)
        aside4 = self.c4(rest)  # (N, features / 4, H, W)
        y: Tensor = self.c5(self.cca(torch.cat((aside1, aside2, aside3, aside4), 1)))  # (N, features, H, W)
        return x + y


class _Attention(nn.Module):
    """Contrast-aware channel attention: a weight for each channel from its mean and standard deviation."""

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.contrast = _Contrast()
        hidden = max(1, features // reduction)
        self.conv_du = nn.Sequential(
            nn.Conv2d(features, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, features, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.conv_du(self.contrast(x))  # (N, features, 1, 1)
        return x * weight


class _Contrast(nn.Module):
    whole = True

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)  # (N, features, 1, 1)
        variance = (x - mean).square().mean((2, 3), keepdim=True)  # (N, features, 1, 1)
        return mean + variance.clamp(min=1e-12).sqrt()


def _config_from_weights(weights: Weights) -> ConfigFields:
    hidden, features = weights["IMDB1.cca.conv_du.0.weight"].shape[:2]
    blocks = len({name.split(".")[0] for name in weights if name.startswith("IMDB")})
    scale = isqrt(weights["upsampler.0.weight"].shape[0] // 3)
    return {"scale": scale, "features": features, "blocks": blocks, "reduction": features // hidden}


DECLARATION = Declaration(
    IMDN,
    _config_from_weights,
    paper="arXiv:1909.11856",
    published_counts=(  # the weights of Zheng222/IMDN
        PublishedCount({"scale": 2}, 694_404, biases=True),
        PublishedCount({"scale": 3}, 703_059, biases=True),
        PublishedCount({"scale": 4}, 715_176, biases=True),
    ),
    small={"features": 16, "blocks": 2, "reduction": 1},
)
