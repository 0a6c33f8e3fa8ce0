"""Compact: plain 3x3 convolutions at low resolution, one pixel shuffle, the enlarged input added at the end.

SRVGGNetCompact of Real-ESRGAN: Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with
Pure Synthetic Data", ICCV Workshops 2021, arXiv 2107.10833; the network itself came with its releases (realesr-
animevideov3: 16 convolutions, realesr-general-x4v3: 32) and no separate paper describes it. Written from that
description, without other code; the modules have the names in published weights. The authors' code is BSD-3; the
licence of weights is up to their trainers. Works on RGB.

What differs: the enlarged input is added before the pixel shuffle, which gives the same numbers and moves less memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.networks.declaration import ConfigFields, Declaration, PublishedCount, Undetermined, Weights


@dataclass(frozen=True)
class CompactConfig:
    scale: int = 4
    features: int = 64  # channels of each convolution
    convs: int = 16  # convolutions between the first and the last
    activation: Literal["prelu", "relu", "leakyrelu"] = "prelu"  # leakyrelu: slope 0.1


class Compact(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = CompactConfig
    channels = 3
    multiple = 1

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        f = config.features
        self.scale = config.scale
        layers: list[nn.Module] = []
        for inputs in (3, *[f] * config.convs):
            layers += [nn.Conv2d(inputs, f, 3, padding=1), _activation(config)]
        self.body = nn.Sequential(*layers, nn.Conv2d(f, 3 * config.scale**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)  # (N, 3 * scale^2, H, W)
        y = y + x.repeat_interleave(self.scale**2, 1)  # (N, 3 * scale^2, H, W), each channel scale^2 times
        return functional.pixel_shuffle(y, self.scale)  # (N, 3, H * scale, W * scale)


def _activation(config: CompactConfig) -> nn.Module:
    if config.activation == "prelu":
        return nn.PReLU(config.features)
    if config.activation == "relu":
        return nn.ReLU()
    if config.activation == "leakyrelu":
        return nn.LeakyReLU(0.1)
    raise UsageError(f"no activation {config.activation!r}; there are prelu, relu, leakyrelu")


def _config_from_weights(weights: Weights) -> ConfigFields:
    last = max(int(name.split(".")[1]) for name in weights)
    if last > 2 * len(weights):  # the layers between have no weights: one in two at most
        raise WeightsError(f"there is a layer {last} among {len(weights)} tensors: the file is damaged")
    config = {
        "scale": isqrt(weights[f"body.{last}.weight"].shape[0] // 3),
        "features": weights["body.0.weight"].shape[0],
        "convs": last // 2 - 1,
    }
    # Only PReLU has weights.
    return config | {"activation": "prelu" if "body.1.weight" in weights else Undetermined(("relu", "leakyrelu"))}


DECLARATION = Declaration(
    Compact,
    _config_from_weights,
    paper="arXiv:2107.10833",
    published_counts=(  # Real-ESRGAN's SRVGGNetCompact
        PublishedCount({}, 621_424, biases=True),
        PublishedCount({"scale": 2}, 600_652, biases=True),
        PublishedCount({"convs": 32}, 1_213_296, biases=True),
    ),
    small={"features": 16, "convs": 3},
)
