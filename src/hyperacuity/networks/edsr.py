"""EDSR: SRResNet's blocks without normalisation, wider; the baseline of 16 blocks of 64 channels, the full one of 32
of 256, whose blocks add a tenth of what they compute.

Lim, Son, Kim, Nah, Lee: "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops 2017, arXiv
1707.02921, sections 3.2 and 3.3, table 1. Written from the paper, without other code; the mean colour is that of DIV2K
as the authors' code has it. Works on RGB.

What differs: the paper's numbers are 0 to 255, ours 0 to 1 outside and the paper's within, where mean and range belong
to the network. And training begins at linear interpolation: the first three channels carry the image through, past
the blocks; the paper begins with noise at x2, and with its x2 network at x3 and x4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys, rename_numbered, shuffle_scale

_SHUFFLES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


@dataclass(frozen=True)
class EDSRConfig:
    scale: int = 2  # 2, 3, 4 or 8
    blocks: int = 16  # residual blocks; the full network has 32
    width: int = 64  # channels; the full network has 256
    residual: float = 1.0  # the part of its result that a block adds; in the full network 0.1
    rgb_mean: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)  # DIV2K's, taken off before and given back after
    rgb_range: float = 255.0  # white, within the network


class EDSR(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H * scale, W * scale)."""

    Config = EDSRConfig
    channels = 3
    multiple = 1
    mean: Tensor

    def __init__(self, config: EDSRConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.range = config.rgb_range
        self.register_buffer("mean", torch.tensor(config.rgb_mean).view(1, 3, 1, 1), persistent=False)
        self.head = nn.Conv2d(3, config.width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(config.width, 3, config.residual) for _ in range(config.blocks)))
        self.joint = nn.Conv2d(config.width, config.width, 3, padding=1)
        self.upscale = Upsampler(config.width, config.scale)
        self.tail = nn.Conv2d(config.width, 3, 3, padding=1)
        carry(self.head, self.joint, self.tail)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) * self.range
        x = self.head(x)  # (N, width, H, W)
        x = x + self.joint(self.body(x))  # (N, width, H, W)
        x = self.tail(self.upscale(x))  # (N, 3, H * scale, W * scale)
        return x / self.range + self.mean


class ResidualBlock(nn.Module):
    """Two convolutions with a ReLU between them; a part of their result is added to their input."""

    def __init__(self, width: int, side: int, part: float) -> None:
        super().__init__()
        self.part = part
        self.first = nn.Conv2d(width, width, side, padding=side // 2)
        self.second = nn.Conv2d(width, width, side, padding=side // 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x).relu())  # (N, width, H, W)
        return x + y * self.part


class Upsampler(nn.Sequential):
    """A convolution and a pixel shuffle, once or for each factor of two; at first it interpolates the first three
    channels linearly.
    """

    def __init__(self, width: int, scale: int) -> None:
        super().__init__()
        if scale not in _SHUFFLES:
            raise ValueError(f"scale must be one of {', '.join(map(str, _SHUFFLES))}; got {scale}")
        for r in _SHUFFLES[scale]:
            layer = nn.Conv2d(width, r * r * width, 3, padding=1)
            self.extend([layer, nn.PixelShuffle(r)])
            assert layer.bias is not None
            phases = (torch.arange(r) + 0.5) / r - 0.5  # of the output pixels, within their input pixel
            taps = (1 - (torch.arange(-1, 2) - phases[:, None]).abs()).clamp(min=0)  # (r, 3)
            with torch.no_grad():
                layer.weight[: 3 * r * r] = 0
                layer.bias[: 3 * r * r] = 0
                for c in range(3):
                    own = slice(c * r * r, (c + 1) * r * r)
                    layer.weight[own, c] = torch.einsum("ay,bx->abyx", taps, taps).flatten(0, 1)


@torch.no_grad()
def carry(head: nn.Conv2d, joint: nn.Conv2d, tail: nn.Conv2d) -> None:
    """Let the first three channels be the image: made by the head, untouched by the blocks, shown by the tail."""
    for layer in (head, joint, tail):
        assert layer.bias is not None
        layer.weight[:3] = 0
        layer.bias[:3] = 0
    nn.init.normal_(tail.weight[:, 3:], std=0.001)
    for c in range(3):
        head.weight[c, c, 1, 1] = 1
        tail.weight[c, c, 1, 1] = 1


def _config_from_weights(weights: Weights) -> ConfigFields:
    width = weights["head.weight"].shape[0]
    return {
        "scale": shuffle_scale(weights, "upscale"),
        "blocks": count_modules(weights, "body"),
        "width": width,
        # The paper: blocks of 256 channels add a tenth, or they do not train; narrower ones add all.
        "residual": 0.1 if width == 256 else 1.0,
    }


# Where the authors' residual blocks keep our two convolutions.
RESIDUAL_BLOCK = {"0": "first", "2": "second"}


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Looks at values: mean colour and range are those of `add_mean`, if the weights have it."""
    rules: dict[str, Replacement] = {
        r"(sub|add)_mean": "",
        r"head\.0": "head",
        r"body\.(\d+)\.body\.([02])": lambda found: f"body.{found[1]}.{RESIDUAL_BLOCK[found[2]]}",
        r"body\.\d+": "joint",
        r"tail\.0\.(\d+)": r"upscale.\1",
        r"tail\.1": "tail",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, mean_colour(weights))


def mean_colour(weights: Weights) -> ConfigFields:
    """Read the mean colour and the range of values from the layers of the authors' code that subtract and add it.

    The product of range and mean is the bias of `add_mean`: on 0 to 255 it is above 1, on 0 to 1 below.
    """
    bias, weight = weights.get("add_mean.bias"), weights.get("add_mean.weight")
    if bias is None or weight is None:
        return {}
    if weight.flatten().tolist() != torch.eye(3).flatten().tolist():
        raise ValueError("its add_mean mixes or scales the colours")
    rgb_range = 255.0 if bias.max() > 1 else 1.0
    # The authors' means have four places; float32 times 255 gives them back with noise.
    return {"rgb_range": rgb_range, "rgb_mean": [round(value / rgb_range, 6) for value in bias.tolist()]}


def _from_basicsr(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    rules: dict[str, Replacement] = {
        "conv_first": "head",
        r"body\.(\d+)\.conv1": r"body.\1.first",
        r"body\.(\d+)\.conv2": r"body.\1.second",
        "conv_after_body": "joint",
        r"upsample\.(\d+)": r"upscale.\1",
        "conv_last": "tail",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {})


def _from_mmagic(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """As BasicSR's, but white is 1 within the network, and each step of the upsampling is a module of its own."""
    steps = sorted({name.split(".")[1] for name in weights if re.fullmatch(r"upsample\.\d+\.upsample_conv\.\w+", name)})
    if not steps:
        return None
    renamed = rename_keys(weights, {r"(upsample\.\d+)\.upsample_conv": r"\1", r"(.*)": r"\1"})
    basic = None if renamed is None else _from_basicsr(renamed)
    if basic is None:
        return None
    # PixelShufflePack has no number for its shuffle; ours has one after each convolution.
    ours = {re.sub(r"^upscale\.(\d+)", lambda m: f"upscale.{2 * int(m[1])}", name): v for name, v in basic[0].items()}
    return ours, {"rgb_range": 1.0}


def _from_krasserm(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Exported from Keras: numbered in the order of the layers, sub-pixels in TensorFlow's order, white is 2 within.

    Looks at values: the mean colour is stored.
    """
    if weights.keys().isdisjoint({"DIV2K_mean"}):
        return None
    layers = {name: value for name, value in weights.items() if not name.endswith("DIV2K_mean")}
    blocks = (len(layers) // 2 - 4) // 2
    halves = [f"body.{n}.{half}" for n in range(blocks) for half in ("first", "second")]
    renamed = rename_numbered(layers, {"convolution": ["head", *halves, "joint", "upscale.0", "tail"]})
    for kind in ("weight", "bias"):
        value = renamed[f"upscale.0.{kind}"]
        scale = round((len(value) / len(renamed["head.bias"])) ** 0.5)
        value = value.reshape(scale, scale, -1, *value.shape[1:])
        renamed[f"upscale.0.{kind}"] = value.movedim(2, 0).flatten(0, 2)
    return renamed, {"rgb_mean": weights["DIV2K_mean"].flatten().tolist(), "rgb_range": 2.0}


DECLARATION = Declaration(
    EDSR,
    _config_from_weights,
    paper="arXiv:1707.02921",
    layouts=(
        KeyLayout("EDSR of its authors", _from_authors, "sub_mean add_mean head body tail"),
        KeyLayout("EDSR of BasicSR", _from_basicsr, "conv_first body conv1 conv2 conv_after_body upsample conv_last"),
        KeyLayout("EDSR of MMagic", _from_mmagic, "conv_first conv_after_body upsample upsample_conv conv_last"),
        KeyLayout("EDSR of krasserm", _from_krasserm),
    ),
    published_counts=(  # sanghyun-son/EDSR-PyTorch
        PublishedCount({"scale": 2}, 1_369_859, biases=True),
        PublishedCount({"scale": 2, "blocks": 32, "width": 256, "residual": 0.1}, 40_729_603, biases=True),
    ),
    small={"blocks": 2, "width": 16},
)
