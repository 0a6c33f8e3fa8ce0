"""DAT: attention within rectangular windows and attention between channels, by turns.

Chen, Zhang, Gu, Kong, Yang, Yu: "Dual Aggregation Transformer for Image Super-Resolution", ICCV 2023, arXiv 2308.03364,
sections 3.1 to 3.4; the position bias: Wang et al., "CrossFormer", ICLR 2022, arXiv 2108.00154, section 3.2; the
attention between channels: El-Nouby et al., "XCiT", NeurIPS 2021, arXiv 2106.09681, section 3.2. Written from the
papers, without other code; the modules have the names that published weights have (their `attn_mask_0`, `rpe_biases`
and `relative_position_index` are computed here, not stored). The authors' code and weights are Apache-2.0. Works on
RGB. The defaults are "DAT"; the authors' DAT-S, DAT-2 and DAT-light are

    DATConfig(split=(8, 16), expansion=2)
    DATConfig(expansion=2)
    DATConfig(features=60, groups=1, layers=18, expansion=2, upsampler="pixelshuffledirect", joint="3conv")

What differs: no stochastic depth in training. Batches have two images or more in training, since a normalisation sees
one number for each image and channel. Any size is taken as the authors take it: for the windows only, zeros are added
below and to the right.

The attention between channels, and the weights of channels, look at the whole image: an image cut into tiles gives
nearly the same image, not the same. The windows of a tile also begin at its own corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from hyperacuity.errors import UsageError
from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Undetermined, Weights
from hyperacuity.networks.endings import end_of_group, shuffle, stepwise_shuffle, upsampler_of
from hyperacuity.networks.rcan import ChannelMeans
from hyperacuity.networks.state_dicts import count_modules
from hyperacuity.networks.windows import (
    AttentionWithin,
    Window,
    join_windows,
    offset_index,
    shifted_mask,
    split_windows,
)


@dataclass(frozen=True)
class DATConfig:
    scale: int = 4  # 1, 2, 3, 4 or 8; any with pixelshuffledirect
    features: int = 180  # channels; divides by heads
    groups: int = 6  # of layers, a convolution and a residual around each
    layers: int = 6  # in each group, by turns in windows and between channels
    heads: int = 6  # even: one half looks in windows that lie, the other in windows that stand
    split: tuple[int, int] = (8, 32)  # height and width of the windows; transposed for the other half of the channels
    expansion: int = 4  # how much wider the perceptron is inside
    upsampler: Literal["pixelshuffle", "pixelshuffledirect"] = "pixelshuffle"  # see SwinIR
    joint: Literal["1conv", "3conv"] = "1conv"  # what ends each group: one convolution, or three, narrow inside


# The means of DIV2K's red, green and blue.
_MEAN = (0.4488, 0.4371, 0.4040)
_BEFORE_UPSAMPLING = 64  # channels, of the stepwise upsampler
# Of the published forms: DAT, DAT-2 and DAT-light; DAT-S; the default of the authors' code.
_SPLITS = ((8, 32), (8, 16), (2, 4))
# Pixels of a window, so that a damaged card cannot ask for all memory.
_LARGEST = 1024


class DAT(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = DATConfig
    channels = 3
    multiple = 1

    def __init__(self, config: DATConfig) -> None:
        super().__init__()
        f, (height, width) = config.features, config.split
        if max(height, width) % min(height, width) or height * width > _LARGEST:
            raise UsageError(
                f"windows of {height} x {width}: the longer side is a multiple of the shorter, and they have at most "
                f"{_LARGEST} pixels"
            )
        if config.heads % 2 or f % config.heads:
            raise UsageError(f"{config.heads} heads are not even, or do not divide {f} channels")
        self.scale = config.scale
        self.windows = ((height, width), (width, height))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv_first = nn.Conv2d(3, f, 3, padding=1)
        self.before_RG = nn.ModuleDict({"1": nn.LayerNorm(f)})
        self.layers = nn.ModuleList(_Group(config, number) for number in range(config.groups))
        self.norm = nn.LayerNorm(f)
        self.conv_after_body = end_of_group(f, config.joint)
        self.conv_before_upsample: nn.Module = nn.Identity()
        self.conv_last: nn.Module = nn.Identity()
        if config.upsampler == "pixelshuffledirect":
            self.upsample: nn.Module = shuffle(f, 3, config.scale)
        elif config.upsampler == "pixelshuffle":
            inner = _BEFORE_UPSAMPLING
            self.conv_before_upsample = nn.Sequential(nn.Conv2d(f, inner, 3, padding=1), nn.LeakyReLU(0.01))
            self.upsample = nn.Identity() if config.scale == 1 else stepwise_shuffle(inner, config.scale)
            self.conv_last = nn.Conv2d(inner, 3, 3, padding=1)
        else:
            raise UsageError(f"no upsampler {config.upsampler!r}; there are pixelshuffle, pixelshuffledirect")
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) < 2:
            raise UsageError("DAT is trained on batches of two images or more, since it normalises over batches")
        mean = self.get_buffer("mean")
        # Asked for where the halo is measured only, on long strips: layer by layer it would take 10 GB.
        gradient_of_image = x.requires_grad
        x = self.conv_first(x - mean)  # (N, features, H, W)
        y = self.before_RG["1"](x.permute(0, 2, 3, 1))  # (N, H, W, features)
        padded = _padded(y[..., :1], self.windows[0])
        masks = [shifted_mask(padded, window) for window in self.windows]  # (windows, area, area) each
        for group in self.layers:
            # (N, H, W, features)
            y = checkpoint(group, y, masks, use_reentrant=False) if gradient_of_image else group(y, masks)
        y = self.norm(y).permute(0, 3, 1, 2)  # (N, features, H, W)
        x = self.conv_after_body(y) + x  # (N, features, H, W)
        x = self.upsample(self.conv_before_upsample(x))  # (N, 3 | 64, H * scale, W * scale)
        x = self.conv_last(x)  # (N, 3, H * scale, W * scale)
        return x + mean


class _Group(nn.Module):
    """Layers by turns of both kinds, a convolution, and a residual around it all."""

    def __init__(self, config: DATConfig, number: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Layer(config, number, place) for place in range(config.layers))
        self.conv = end_of_group(config.features, config.joint)

    def forward(self, x: Tensor, masks: list[Tensor]) -> Tensor:
        y = x  # (N, H, W, features)
        for layer in self.blocks:
            y = layer(y, masks)  # (N, H, W, features)
        local: Tensor = self.conv(y.permute(0, 3, 1, 2))  # (N, features, H, W)
        return x + local.permute(0, 2, 3, 1)  # (N, H, W, features)


class _Layer(nn.Module):
    """Attention, then a perceptron on each pixel, a residual around each.

    Every second layer looks between channels. Of the others every second has its windows shifted, the first of the
    first group not, the first of the second group again.
    """

    def __init__(self, config: DATConfig, group: int, place: int) -> None:
        super().__init__()
        f = config.features
        self.norm1 = nn.LayerNorm(f)
        self.attn: _Spatial | _Channel
        if place % 2:
            self.attn = _Channel(f, config.heads)
        else:
            self.attn = _Spatial(f, config.heads, config.split, shifted=(place // 2 + group) % 2 == 1)
        self.norm2 = nn.LayerNorm(f)
        self.ffn = _Perceptron(f, config.expansion * f)

    def forward(self, x: Tensor, masks: list[Tensor]) -> Tensor:
        x = x + self.attn(self.norm1(x), masks)  # (N, H, W, features)
        result: Tensor = x + self.ffn(self.norm2(x))  # (N, H, W, features)
        return result


class _Perceptron(nn.Module):
    """Two linear layers, between which one half of the channels is filtered in space and multiplies the other half.

    The spatial-gate feed-forward network of section 3.4.
    """

    def __init__(self, features: int, wide: int) -> None:
        super().__init__()
        half = wide // 2
        self.fc1 = nn.Linear(features, wide)
        self.act = nn.GELU()
        self.sg = nn.ModuleDict(
            {"norm": nn.LayerNorm(half), "conv": nn.Conv2d(half, half, 3, padding=1, groups=half)},
        )
        self.fc2 = nn.Linear(half, features)

    def forward(self, x: Tensor) -> Tensor:
        kept, gate = self.act(self.fc1(x)).chunk(2, -1)  # (N, H, W, wide / 2) each
        gate = self.sg["conv"](self.sg["norm"](gate).permute(0, 3, 1, 2))  # (N, wide / 2, H, W)
        result: Tensor = self.fc2(kept * gate.permute(0, 2, 3, 1))  # (N, H, W, features)
        return result


class _Adaptive(nn.Module):
    """What both kinds of attention have: a convolution of the values beside the attention, and how the two meet.

    The adaptive interaction module of section 3.3: the sum of both, each weighed by what the other one sees, one of
    them for each channel of the image, the other for each pixel.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        f, by_channel, by_pixel = features, features // 8, features // 16
        self.qkv = nn.Linear(f, 3 * f)
        self.proj = nn.Linear(f, f)
        self.dwconv = nn.Sequential(nn.Conv2d(f, f, 3, padding=1, groups=f), nn.BatchNorm2d(f), nn.GELU())
        self.channel_interaction = nn.Sequential(
            ChannelMeans(),
            nn.Conv2d(f, by_channel, 1),
            nn.BatchNorm2d(by_channel),
            nn.GELU(),
            nn.Conv2d(by_channel, f, 1),
        )
        self.spatial_interaction = nn.Sequential(
            nn.Conv2d(f, by_pixel, 1), nn.BatchNorm2d(by_pixel), nn.GELU(), nn.Conv2d(by_pixel, 1, 1)
        )

    def interact(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(N, C, H, W) each: `fine` is weighed by the channel, `coarse` by the pixel. -> (N, H, W, C)."""
        by_channel = self.channel_interaction(coarse).sigmoid()  # (N, C, 1, 1)
        by_pixel = self.spatial_interaction(fine).sigmoid()  # (N, 1, H, W)
        y = fine * by_channel + coarse * by_pixel
        result: Tensor = self.proj(y.permute(0, 2, 3, 1))
        return result


class _Spatial(_Adaptive):
    """Attention within windows: half of the channels in windows of one shape, half in the transposed ones."""

    def __init__(self, features: int, heads: int, split: Window, *, shifted: bool) -> None:
        super().__init__(features)
        self.shifted, self.split = shifted, split
        self.attns = nn.ModuleList(
            _Windows(features // 2, heads // 2, window, shifted=shifted) for window in (split, split[::-1])
        )

    def forward(self, x: Tensor, masks: list[Tensor]) -> Tensor:
        features = x.shape[-1]
        qkv = self.qkv(x)  # (N, H, W, 3 * C)
        seen = self._attend(qkv, masks).permute(0, 3, 1, 2)  # (N, C, H, W)
        local = self.dwconv(qkv[..., 2 * features :].permute(0, 3, 1, 2))  # (N, C, H, W)
        return self.interact(seen, local)

    def _attend(self, qkv: Tensor, masks: list[Tensor]) -> Tensor:
        """(N, H, W, 3 * C) -> (N, H, W, C)."""
        rows, columns, features = qkv.shape[1:]
        qkv = _padded(qkv, self.split)
        halves = qkv.reshape(*qkv.shape[:3], 3, 2, features // 6)
        parts = [attention(halves[..., half, :].flatten(-2), masks[half]) for half, attention in enumerate(self.attns)]
        return torch.cat(parts, -1)[:, :rows, :columns]


class _Windows(nn.Module):
    """Attention within windows of one shape, with a bias that a small perceptron makes for each offset."""

    def __init__(self, features: int, heads: int, window: Window, *, shifted: bool) -> None:
        super().__init__()
        self.window, self.shifted = window, shifted
        self.pos = _PositionBias(features // 4, heads, window)
        self.within = AttentionWithin(heads)

    def forward(self, qkv: Tensor, mask: Tensor) -> Tensor:
        shift = (self.window[0] // 2, self.window[1] // 2)
        if self.shifted:
            qkv = qkv.roll((-shift[0], -shift[1]), (1, 2))
        y = self.within(split_windows(qkv, self.window), self.pos(), mask if self.shifted else None)
        y = join_windows(y, qkv, self.window)  # (N, H, W, features)
        return y.roll(shift, (1, 2)) if self.shifted else y


class _PositionBias(nn.Module):
    """() -> (heads, area, area): what is added to the scores, from the offsets between the pixels of a window."""

    def __init__(self, features: int, heads: int, window: Window) -> None:
        super().__init__()
        height, width = window
        wide = features // 4
        offsets = torch.cartesian_prod(torch.arange(1 - height, height), torch.arange(1 - width, width))
        self.register_buffer("offsets", offsets.float(), persistent=False)  # (number of offsets, 2)
        self.register_buffer("index", offset_index(window), persistent=False)
        self.pos_proj = nn.Linear(2, wide)
        self.pos1 = _normed(wide, wide)
        self.pos2 = _normed(wide, wide)
        self.pos3 = _normed(wide, heads)

    def forward(self) -> Tensor:
        bias = self.pos3(self.pos2(self.pos1(self.pos_proj(self.get_buffer("offsets")))))  # (offsets, heads)
        of_pairs: Tensor = bias[self.get_buffer("index")]  # (area, area, heads)
        return of_pairs.permute(2, 0, 1)


def _normed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(inputs), nn.ReLU(), nn.Linear(inputs, outputs))


class _Channel(_Adaptive):
    """Attention between the channels of each head, from how alike they are over the whole image."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__(features)
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.likeness = _Likeness()

    def forward(self, x: Tensor, _: list[Tensor]) -> Tensor:
        batch, rows, columns, features = x.shape
        qkv = self.qkv(x).permute(0, 3, 1, 2)  # (N, 3 * C, H, W)
        query, key, value = qkv.reshape(batch, 3, self.heads, features // self.heads, -1).unbind(1)
        seen = self.likeness(query, key, self.temperature) @ value  # (N, heads, C / heads, H * W)
        seen = seen.reshape(batch, features, rows, columns)
        return self.interact(self.dwconv(qkv[:, 2 * features :]), seen)


class _Likeness(nn.Module):
    """(N, heads, c, pixels) twice -> (N, heads, c, c): for each channel the weights of all, by cosine and softmax."""

    whole = True

    def forward(self, query: Tensor, key: Tensor, temperature: Tensor) -> Tensor:
        cosine = functional.normalize(query, dim=-1) @ functional.normalize(key, dim=-1).transpose(-2, -1)
        return (cosine * temperature).softmax(-1)


def _padded(x: Tensor, window: Window) -> Tensor:
    """(N, H, W, C) with zeros below and to the right, up to multiples of the window's longer side."""
    side = max(window)
    below, right = ((length + side - 1) // side * side - length for length in x.shape[1:3])
    return functional.pad(x, (0, 0, 0, right, 0, below))


def _config_from_weights(weights: Weights) -> ConfigFields:
    features = weights["conv_first.weight"].shape[0]
    inner = "layers.0.blocks"
    if (temperature := weights.get(f"{inner}.1.attn.temperature")) is not None:
        heads = len(temperature)
    else:
        heads = 2 * weights[f"{inner}.0.attn.attns.0.pos.pos3.2.weight"].shape[0]
    upsampler, scale = upsampler_of(weights)
    return {
        "scale": scale,
        "features": features,
        "groups": count_modules(weights, "layers"),
        "layers": count_modules(weights, inner),
        "heads": heads,
        "split": Undetermined(_SPLITS),  # the position bias works for windows of all sizes
        "expansion": weights[f"{inner}.0.ffn.fc1.weight"].shape[0] // features,
        "upsampler": upsampler,
        "joint": "3conv" if "conv_after_body.0.weight" in weights else "1conv",
    }


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Drops what is computed here. Looks at values: the last offset in a window is its sides without one."""
    computed = (".attn_mask_0", ".attn_mask_1", ".rpe_biases", ".relative_position_index")
    ours = {name: value for name, value in weights.items() if not name.endswith(computed)}
    offsets = weights.get("layers.0.blocks.0.attn.attns.0.rpe_biases")
    if offsets is None:
        return None
    height, width = (int(side) + 1 for side in offsets[-1])
    if len(offsets) != (2 * height - 1) * (2 * width - 1):
        raise ValueError("its offsets are not those of windows")
    return ours, {"split": (height, width)}


_LIGHT = {"features": 60, "groups": 1, "layers": 18, "upsampler": "pixelshuffledirect", "joint": "3conv"}

DECLARATION = Declaration(
    DAT,
    _config_from_weights,
    paper="arXiv:2308.03364",
    layouts=(KeyLayout("DAT of its authors", _from_authors),),
    # The table of the authors' README, for x4: 14.80M, 11.21M, 11.21M and 573K.
    published_counts=(
        PublishedCount({"scale": 4}, 14_802_051, biases=True),
        PublishedCount({"scale": 4, "split": (8, 16), "expansion": 2}, 11_212_131, biases=True),
        PublishedCount({"scale": 4, "expansion": 2}, 11_212_131, biases=True),
        PublishedCount({"scale": 4, "expansion": 2} | _LIGHT, 572_766, biases=True),
    ),
    small={"scale": 2, "features": 96, "groups": 1, "layers": 3, "heads": 2, "split": (4, 8), "expansion": 1},
)
