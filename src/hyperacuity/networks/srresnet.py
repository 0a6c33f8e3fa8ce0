"""SRResNet: residual blocks with batch normalisation at low resolution, then pixel shuffles; SRGAN's generator.

Ledig, Theis, Huszár, Caballero, Cunningham, Acosta, Aitken, Tejani, Totz, Wang, Shi: "Photo-Realistic Single Image
Super-Resolution Using a Generative Adversarial Network", CVPR 2017, arXiv 1609.04802, section 2.1 and figure 4. SRGAN
is this very network, trained against a discriminator: its weights fit here. Written from the paper, without other
code. Works on RGB.

What differs: the paper's range of results is -1 to 1, ours 0 to 1, so (y + 1) / 2 ends the network; x2 and x3, which
the paper has not, take one shuffle; convolutions before a normalisation have no bias, which it would cancel. And
training begins at linear interpolation: the first three channels carry the image through, past the blocks.
`output` and `joint` are what others' weights need: those of krasserm and of leftthomas end in tanh, and the latter's
have a PReLU where the paper normalises after the blocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, Weights
from hyperacuity.networks.state_dicts import (
    Replacement,
    count_modules,
    rename_keys,
    rename_numbered,
    shift_number,
    shuffle_scale,
)

_SHUFFLES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


@dataclass(frozen=True)
class SRResNetConfig:
    scale: int = 4  # 2, 3, 4 or 8
    blocks: int = 16  # residual blocks
    width: int = 64  # channels
    output: Literal["linear", "tanh"] = "linear"  # what bounds the result to -1 .. 1: nothing, or tanh
    joint: Literal["norm", "prelu"] = "norm"  # what follows the convolution that closes the blocks


class SRResNet(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H * scale, W * scale)."""

    Config = SRResNetConfig
    channels = 3
    multiple = 1

    def __init__(self, config: SRResNetConfig) -> None:
        super().__init__()
        if config.scale not in _SHUFFLES:
            raise ValueError(f"scale must be one of {', '.join(map(str, _SHUFFLES))}; got {config.scale}")
        if config.output not in ("linear", "tanh") or config.joint not in ("norm", "prelu"):
            raise ValueError("output must be 'linear' or 'tanh', joint 'norm' or 'prelu'")
        self.scale = config.scale
        width, normal = config.width, config.joint == "norm"
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU(width))
        self.body = nn.Sequential(*(_ResidualBlock(width) for _ in range(config.blocks)))
        self.joint = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=not normal),
            nn.BatchNorm2d(width) if normal else nn.PReLU(width),
        )
        self.upscale = nn.Sequential()
        for r in _SHUFFLES[config.scale]:
            self.upscale.extend([nn.Conv2d(width, r * r * width, 3, padding=1), nn.PixelShuffle(r), nn.PReLU(width)])
        self.tail = nn.Conv2d(width, 3, 9, padding=4)
        self.bound = nn.Tanh() if config.output == "tanh" else nn.Identity()
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)  # (N, width, H, W)
        x = x + self.joint(self.body(x))  # (N, width, H, W)
        x = self.upscale(x)  # (N, width, H * scale, W * scale)
        y: Tensor = self.bound(self.tail(x))  # (N, 3, H * scale, W * scale) in [-1, 1]
        return (y + 1) / 2

    @torch.no_grad()
    def _initialise(self) -> None:
        """PyTorch's initialisation, and noise at the end; but the first three channels carry the image."""
        head, last = self.head[0], self.joint[0]
        assert isinstance(head, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        nn.init.normal_(self.tail.weight, std=0.001)
        nn.init.constant_(self.tail.bias, -1)  # type: ignore[arg-type]  # it has one
        for c in range(3):
            head.weight[c] = 0
            head.weight[c, c, 4, 4] = 1
            head.bias[c] = 0  # type: ignore[index]
            last.weight[c] = 0
            self.tail.weight[:, c] = 0
            self.tail.weight[c, c, 4, 4] = 2
        if last.bias is not None:
            last.bias[:3] = 0
        for layer in self.upscale:
            if isinstance(layer, nn.Conv2d):
                _interpolate(layer)


class _ResidualBlock(nn.Module):
    """Figure 4's k3n64s1 block: what it adds to its input is normalised twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.norm1(self.first(x)))  # (N, width, H, W)
        residual: Tensor = self.norm2(self.second(y))  # (N, width, H, W)
        return x + residual


def _interpolate(layer: nn.Conv2d) -> None:
    """Let the convolution before a shuffle interpolate the first three channels linearly."""
    assert layer.bias is not None
    r = round((layer.out_channels / layer.in_channels) ** 0.5)
    phases = (torch.arange(r) + 0.5) / r - 0.5  # of the output pixels, within their input pixel
    taps = (1 - (torch.arange(-1, 2) - phases[:, None]).abs()).clamp(min=0)  # (r, 3)
    layer.weight[: 3 * r * r] = 0
    layer.bias[: 3 * r * r] = 0
    for c in range(3):
        layer.weight[c * r * r : (c + 1) * r * r, c] = torch.einsum("ay,bx->abyx", taps, taps).flatten(0, 1)


def _config_from_weights(weights: Weights) -> ConfigFields:
    return {
        "scale": shuffle_scale(weights, "upscale"),
        "blocks": count_modules(weights, "body"),
        "width": weights["head.0.weight"].shape[0],
        "joint": "norm" if "joint.1.running_mean" in weights else "prelu",
    }


def _from_leftthomas(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """One PReLU slope for all channels; the bias before a normalisation goes into the mean that it subtracts."""
    steps = len({name.split(".")[1] for name in weights if re.match(r"block\d+\.\d+\.conv\.", name)})
    tops = {int(found[1]) for name in weights if (found := re.match(r"block(\d+)\.", name))}
    if not steps or not tops:
        return None
    end = len(tops)  # block1 is the head, the last the upsampling, the one before it what closes the blocks
    parts = {"conv1": "first", "bn1": "norm1", "prelu": "prelu", "conv2": "second", "bn2": "norm2"}
    rules: dict[str, Replacement] = {r"block1\.([01])": r"head.\1", rf"block{end - 1}\.([01])": r"joint.\1"}
    rules |= {rf"block(\d+)\.{part}": shift_number(-2, f"body.{{}}.{our}") for part, our in parts.items()}
    rules |= {rf"block{end}\.{steps}": "tail"}
    rules |= {rf"block{end}\.{n}\.conv": f"upscale.{3 * n}" for n in range(steps)}
    rules |= {rf"block{end}\.{n}\.prelu": f"upscale.{3 * n + 2}" for n in range(steps)}
    ours = rename_keys(weights, rules)
    if ours is None:
        return None
    for n in range(end - 3):
        for convolution, norm in (("first", "norm1"), ("second", "norm2")):
            bias = ours.pop(f"body.{n}.{convolution}.bias")
            ours[f"body.{n}.{norm}.running_mean"] = ours[f"body.{n}.{norm}.running_mean"] - bias
    width = len(ours["head.0.weight"])
    slopes = {name: value.expand(width) for name, value in ours.items() if value.shape == (1,)}
    return ours | slopes, {"output": "tanh"}


def _from_numbered(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Keys numbered in the order of the layers, as exporters name them: convolution0_weight, batchnorm0_gamma ..."""
    blocks = len({name for name in weights if name.endswith("_moving_mean")}) // 2
    slopes = len({name for name in weights if name.startswith("leakyrelu")})
    if not blocks or slopes <= blocks:
        return None
    body = [f"body.{n}" for n in range(blocks)]
    steps = range(slopes - blocks - 1)
    order = {
        "convolution": [
            *["head.0", *(f"{b}.{half}" for b in body for half in ("first", "second")), "joint.0"],
            *[*(f"upscale.{3 * n}" for n in steps), "tail"],
        ],
        "batchnorm": [*(f"{b}.{half}" for b in body for half in ("norm1", "norm2")), "joint.1"],
        "leakyrelu": ["head.1", *(f"{b}.prelu" for b in body), *(f"upscale.{3 * n + 2}" for n in steps)],
    }
    return rename_numbered(weights, order), {}


DECLARATION = Declaration(
    SRResNet,
    _config_from_weights,
    paper="arXiv:1609.04802",
    layouts=(
        KeyLayout("SRGAN of leftthomas", _from_leftthomas, "block1 block2 block7 block8 conv1 bn1 prelu conv2 bn2"),
        KeyLayout("SRResNet with numbered layers", _from_numbered),
    ),
    small={"scale": 2, "blocks": 2, "width": 16},
)
