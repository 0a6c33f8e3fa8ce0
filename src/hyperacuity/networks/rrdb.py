"""RRDB: a deep trunk of residual-in-residual dense blocks, the generator of ESRGAN and of Real-ESRGAN.

Wang, Yu, Wu, Gu, Liu, Dong, Qiao, Loy: "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV
Workshops 2018, arXiv 1809.00219; for x1 and x2: Wang, Xie, Dong, Shan: "Real-ESRGAN", ICCV Workshops 2021, arXiv
2107.10833, where a pixel-unshuffle before the same x4 network takes the scale back. Written from the papers, without
other code; the modules have the names that published weights have, so that these fit as they are. The authors' code is
Apache-2.0 (ESRGAN) and BSD-3 (Real-ESRGAN); weights have the licence of who trained them. Works on RGB.

What differs: nothing that the result depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys


@dataclass(frozen=True)
class RRDBConfig:
    scale: int = 4  # 1, 2 or 4
    features: int = 64  # channels of the trunk
    growth: int = 32  # channels that each convolution of a dense block adds
    blocks: int = 23  # each holds three dense blocks of five convolutions
    beta: float = 0.2  # what of a block's result is added to its input


class RRDB(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = RRDBConfig
    channels = 3

    def __init__(self, config: RRDBConfig) -> None:
        super().__init__()
        if config.scale not in (1, 2, 4):
            raise UsageError(f"RRDB is built for x1, x2 and x4, not x{config.scale}")
        f = config.features
        self.scale = config.scale
        self.multiple = 4 // config.scale
        self.conv_first = nn.Conv2d(3 * self.multiple**2, f, 3, padding=1)
        self.body = nn.Sequential(*(_Block(f, config.growth, config.beta) for _ in range(config.blocks)))
        self.conv_body = nn.Conv2d(f, f, 3, padding=1)
        self.conv_up1 = nn.Conv2d(f, f, 3, padding=1)
        self.conv_up2 = nn.Conv2d(f, f, 3, padding=1)
        self.conv_hr = nn.Conv2d(f, f, 3, padding=1)
        self.conv_last = nn.Conv2d(f, 3, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        if self.multiple > 1:
            x = functional.pixel_unshuffle(x, self.multiple)  # (N, 3 * multiple^2, h, w), h = H / multiple
        x = self.conv_first(x)  # (N, features, h, w)
        x = x + self.conv_body(self.body(x))  # (N, features, h, w)
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")  # (N, features, 2 h, 2 w)
        x = self.lrelu(self.conv_up1(x))
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")  # (N, features, 4 h, 4 w)
        x = self.lrelu(self.conv_up2(x))
        y: Tensor = self.conv_last(self.lrelu(self.conv_hr(x)))  # (N, 3, 4 h, 4 w) = (N, 3, H * scale, W * scale)
        return y


class _Block(nn.Module):
    """Three dense blocks in a row, with one more residual around them."""

    def __init__(self, features: int, growth: int, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.rdb1 = _Dense(features, growth, beta)
        self.rdb2 = _Dense(features, growth, beta)
        self.rdb3 = _Dense(features, growth, beta)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))  # (N, features, h, w)
        return x + y * self.beta


class _Dense(nn.Module):
    """Five convolutions, each of which sees the results of all before it."""

    def __init__(self, features: int, growth: int, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.2)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.lrelu(self.conv1(x))  # (N, growth, h, w)
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1)))
        x3 = self.lrelu(self.conv3(torch.cat((x, x1, x2), 1)))
        x4 = self.lrelu(self.conv4(torch.cat((x, x1, x2, x3), 1)))
        x5: Tensor = self.conv5(torch.cat((x, x1, x2, x3, x4), 1))  # (N, features, h, w)
        return x + x5 * self.beta

    @torch.no_grad()
    def _initialise(self) -> None:
        """He's initialisation times 0.1: the paper's "smaller initialisation" (section 3.1)."""
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            nn.init.kaiming_normal_(layer.weight)
            layer.weight *= 0.1
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one


def _config_from_weights(weights: Weights) -> ConfigFields:
    features, inputs = weights["conv_first.weight"].shape[:2]
    return {
        "scale": 4 // isqrt(inputs // 3),  # x1 and x2 are the x4 network behind a pixel-unshuffle
        "features": features,
        "growth": weights["body.0.rdb1.conv1.weight"].shape[0],
        "blocks": count_modules(weights, "body"),
    }


def _from_first_code(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """ESRGAN's first code, and what the community trained with it: x4 only."""
    rules: dict[str, Replacement] = {
        r"model\.0": "conv_first",
        r"model\.1\.sub\.(\d+)\.RDB([123])\.conv([1-5])\.0": r"body.\1.rdb\2.conv\3",
        r"model\.1\.sub\.\d+": "conv_body",
        r"model\.3": "conv_up1",
        r"model\.6": "conv_up2",
        r"model\.8": "conv_hr",
        r"model\.10": "conv_last",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {})


def _from_esrgan(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """ESRGAN's own repository, before BasicSR."""
    rules: dict[str, Replacement] = {
        r"RRDB_trunk\.(\d+)\.RDB([123])\.(conv[1-5])": r"body.\1.rdb\2.\3",
        "trunk_conv": "conv_body",
        r"upconv([12])": r"conv_up\1",
        "HRconv": "conv_hr",
        r"(conv_first|conv_last)": r"\1",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {})


DECLARATION = Declaration(
    RRDB,
    _config_from_weights,
    paper="arXiv:1809.00219",
    scales=(2, 4),  # and 1, which only restores
    layouts=(
        KeyLayout("RRDB of ESRGAN's first code", _from_first_code, "model sub RDB1 RDB2 RDB3"),
        KeyLayout("RRDB of ESRGAN", _from_esrgan, "RRDB_trunk RDB1 RDB2 RDB3 trunk_conv upconv1 upconv2 HRconv"),
    ),
    published_counts=(PublishedCount({}, 16_697_987, biases=True),),  # xinntao's ESRGAN
    small={"features": 16, "growth": 8, "blocks": 1, "beta": 1.0},  # at 0.2 the effect of distant pixels is 1e-7
)
