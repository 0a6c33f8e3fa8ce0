"""SwinIR: attention within windows of 8 x 8 pixels, which every other layer lie half a window off.

Liang, Cao, Sun, Zhang, Van Gool, Timofte: "SwinIR: Image Restoration Using Swin Transformer", ICCV Workshops 2021,
arXiv 2108.10257; the layers: Liu et al., "Swin Transformer", ICCV 2021, arXiv 2103.14030. Written from the papers,
without other code; the modules have the names that published weights have (their `attn_mask` and
`relative_position_index` are computed here, not stored). The authors' code is Apache-2.0 (SwinIR) and MIT (Swin). Works
on RGB. The defaults are "lightweight", table 3; "classical" of table 2 is

    SwinIRConfig(features=180, groups=6, upsampler="pixelshuffle")

and the one for real photos (section 4.3), medium and large,

    SwinIRConfig(scale=4, features=180, groups=6, upsampler="nearest+conv")
    SwinIRConfig(scale=4, features=240, groups=9, heads=8, upsampler="nearest+conv", joint="3conv")

What differs: no stochastic depth in training; the masks are made for each size in `forward`, also where the image is
one window, so that any size gives what a crop of a larger image gives.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.endings import end_of_group, shuffle, stepwise_shuffle, upsampler_of
from hyperacuity.networks.state_dicts import count_modules
from hyperacuity.networks.windows import AttentionWithin, join_windows, offset_index, shifted_mask, split_windows


@dataclass(frozen=True)
class SwinIRConfig:
    scale: int = 2
    features: int = 60  # channels; divides by heads
    groups: int = 4  # of layers, a convolution and a residual around each
    layers: int = 6  # in each group; every second has its windows shifted
    heads: int = 6
    window: int = 8  # height and width must be divisible by it
    expansion: int = 2  # how much wider the two-layer perceptron is inside
    # The direct one is one convolution and one pixel shuffle; the other goes by steps of x2 (or x3), 64 channels wide.
    # The one for photos doubles by nearest neighbour, with a convolution after each step; x2 and x4.
    upsampler: Literal["pixelshuffledirect", "pixelshuffle", "nearest+conv"] = "pixelshuffledirect"
    joint: Literal["1conv", "3conv"] = "1conv"  # what ends each group: one convolution, or three, narrow inside


# The means of DIV2K's red, green and blue.
_MEAN = (0.4488, 0.4371, 0.4040)
_BEFORE_UPSAMPLING = 64  # channels, of the stepwise upsampler


class SwinIR(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = SwinIRConfig
    channels = 3

    def __init__(self, config: SwinIRConfig) -> None:
        super().__init__()
        f = config.features
        self.scale = config.scale
        self.multiple = config.window
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv_first = nn.Conv2d(3, f, 3, padding=1)
        self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(f)})
        self.layers = nn.ModuleList(_Group(config) for _ in range(config.groups))
        self.norm = nn.LayerNorm(f)
        self.conv_after_body = end_of_group(f, config.joint)
        if config.upsampler == "pixelshuffledirect":
            self.conv_before_upsample: nn.Module = nn.Identity()
            self.upsample = shuffle(f, 3, config.scale)
            self.conv_last: nn.Module = nn.Identity()
        elif config.upsampler == "pixelshuffle":
            self.conv_before_upsample = nn.Sequential(
                nn.Conv2d(f, _BEFORE_UPSAMPLING, 3, padding=1), nn.LeakyReLU(0.01)
            )
            self.upsample = stepwise_shuffle(_BEFORE_UPSAMPLING, config.scale)
            self.conv_last = nn.Conv2d(_BEFORE_UPSAMPLING, 3, 3, padding=1)
        elif config.upsampler == "nearest+conv":
            self.conv_before_upsample = nn.Sequential(
                nn.Conv2d(f, _BEFORE_UPSAMPLING, 3, padding=1), nn.LeakyReLU(0.01)
            )
            if config.scale not in (2, 4):
                raise UsageError(f"SwinIR with nearest+conv is built for x2 and x4, not x{config.scale}")
            for name in ("conv_up1", "conv_up2")[: config.scale // 2]:
                self.add_module(name, nn.Conv2d(_BEFORE_UPSAMPLING, _BEFORE_UPSAMPLING, 3, padding=1))
            self.conv_hr = nn.Conv2d(_BEFORE_UPSAMPLING, _BEFORE_UPSAMPLING, 3, padding=1)
            self.conv_last = nn.Conv2d(_BEFORE_UPSAMPLING, 3, 3, padding=1)
        else:
            raise UsageError(
                f"no upsampler {config.upsampler!r}; there are pixelshuffledirect, pixelshuffle, nearest+conv"
            )
        self.nearest = config.upsampler == "nearest+conv"
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        mean = self.get_buffer("mean")
        x = self.conv_first(x - mean)  # (N, features, H, W)
        y = self.patch_embed["norm"](x.permute(0, 2, 3, 1))  # (N, H, W, features)
        mask = shifted_mask(y, (self.multiple, self.multiple))  # (windows, window^2, window^2)
        for group in self.layers:
            y = group(y, mask)  # (N, H, W, features)
        y = self.norm(y).permute(0, 3, 1, 2)  # (N, features, H, W)
        x = self.conv_after_body(y) + x  # (N, features, H, W)
        x = self.conv_before_upsample(x)
        x = self._enlarge_nearest(x) if self.nearest else self.upsample(x)  # (N, 3 | 64, H * scale, W * scale)
        x = self.conv_last(x)  # (N, 3, H * scale, W * scale)
        return x + mean

    def _enlarge_nearest(self, x: Tensor) -> Tensor:
        for name in ("conv_up1", "conv_up2")[: self.scale // 2]:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = functional.leaky_relu(self.get_submodule(name)(x), 0.2)  # (N, 64, 2 H | 4 H, 2 W | 4 W)
        return functional.leaky_relu(self.conv_hr(x), 0.2)

    def _initialise(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)


class _Group(nn.Module):
    """Layers with windows by turns in place and shifted, a convolution, and a residual around it all."""

    def __init__(self, config: SwinIRConfig) -> None:
        super().__init__()
        blocks = (_Layer(config, shifted=number % 2 == 1) for number in range(config.layers))
        self.residual_group = nn.ModuleDict({"blocks": nn.ModuleList(blocks)})
        self.conv = end_of_group(config.features, config.joint)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = x  # (N, H, W, features)
        for layer in self.residual_group["blocks"].children():
            y = layer(y, mask)  # (N, H, W, features)
        local: Tensor = self.conv(y.permute(0, 3, 1, 2))  # (N, features, H, W)
        return x + local.permute(0, 2, 3, 1)  # (N, H, W, features)


class _Layer(nn.Module):
    """Attention within windows, then a perceptron on each pixel, a residual around each."""

    def __init__(self, config: SwinIRConfig, *, shifted: bool) -> None:
        super().__init__()
        f, self.window = config.features, (config.window, config.window)
        self.shift = config.window // 2 if shifted else 0
        self.norm1 = nn.LayerNorm(f)
        self.attn = _Attention(f, config.heads, config.window)
        self.norm2 = nn.LayerNorm(f)
        wide = config.expansion * f
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(f, wide), act=nn.GELU(), fc2=nn.Linear(wide, f)))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.norm1(x)  # (N, H, W, features)
        if self.shift:
            y = y.roll((-self.shift, -self.shift), (1, 2))
        y = split_windows(y, self.window)  # (N * windows, window^2, features)
        y = self.attn(y, mask if self.shift else None)
        y = join_windows(y, x, self.window)  # (N, H, W, features)
        if self.shift:
            y = y.roll((self.shift, self.shift), (1, 2))
        x = x + y
        result: Tensor = x + self.mlp(self.norm2(x))  # (N, H, W, features)
        return result


class _Attention(nn.Module):
    """Each pixel of a window looks at all of its window, with a learnt bias for each offset."""

    def __init__(self, features: int, heads: int, window: int) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", offset_index((window, window)), persistent=False)
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)
        self.within = AttentionWithin(heads)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        bias = self.relative_position_bias_table[self.get_buffer("relative_position_index")]
        # (heads, window^2, window^2), for all windows
        y = self.within(self.qkv(x), bias.permute(2, 0, 1), mask)
        result: Tensor = self.proj(y)  # (N * windows, window^2, features)
        return result


def _config_from_weights(weights: Weights) -> ConfigFields:
    features = weights["conv_first.weight"].shape[0]
    inner = "layers.0.residual_group.blocks"
    offsets, heads = weights[f"{inner}.0.attn.relative_position_bias_table"].shape
    if "conv_up1.weight" in weights:
        upsampler, scale = "nearest+conv", 4 if "conv_up2.weight" in weights else 2
    else:
        upsampler, scale = upsampler_of(weights)
    return {
        "scale": scale,
        "features": features,
        "groups": count_modules(weights, "layers"),
        "layers": count_modules(weights, inner),
        "heads": heads,
        "window": (isqrt(offsets) + 1) // 2,
        "expansion": weights[f"{inner}.0.mlp.fc1.weight"].shape[0] // features,
        "upsampler": upsampler,
        "joint": "3conv" if "layers.0.conv.0.weight" in weights else "1conv",
    }


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Drops what is computed here, not stored."""
    computed = (".attn_mask", ".relative_position_index")
    ours = {name: value for name, value in weights.items() if not name.endswith(computed)}
    return (ours, {}) if len(ours) < len(weights) else None


DECLARATION = Declaration(
    SwinIR,
    _config_from_weights,
    paper="arXiv:2108.10257",
    layouts=(KeyLayout("SwinIR of its authors", _from_authors),),
    # As SwinIR's code prints them; the paper's table 3 leaves out position biases: 878K, 886K, 897K, and 11.8M.
    published_counts=(
        PublishedCount({"scale": 2}, 910_152, biases=True),
        PublishedCount({"scale": 3}, 918_267, biases=True),
        PublishedCount({"scale": 4}, 929_628, biases=True),
        PublishedCount(
            {"scale": 2, "features": 180, "groups": 6, "upsampler": "pixelshuffle"}, 11_752_487, biases=True
        ),
        PublishedCount(  # 28.01M
            {"scale": 4, "features": 240, "groups": 9, "heads": 8, "upsampler": "nearest+conv", "joint": "3conv"},
            28_013_059,
            biases=True,
        ),
    ),
    small={"features": 12, "groups": 1, "layers": 2, "heads": 2},
)
