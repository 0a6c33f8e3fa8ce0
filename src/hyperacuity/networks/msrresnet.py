"""MSRResNet: SRResNet without normalisation, on top of a bilinear enlargement; the usual small network of BasicSR.

SRResNet: Ledig et al., CVPR 2017, arXiv 1609.04802; without its normalisation: Lim et al., "EDSR", arXiv 1707.02921;
this form: Wang et al., "ESRGAN", arXiv 1809.00219, section 4.1, and the projects that followed. Written from the papers
and from the names of published weights, which fit as they are. The weights of MMagic (SRResNet and SRGAN, Apache-2.0)
have this form. Works on RGB.

What differs: nothing that the result depends on. Whether the enlarged features go through the activation differs
between projects: it is `upscaled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, Weights
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys

_SHUFFLES = {2: (2,), 3: (3,), 4: (2, 2)}


@dataclass(frozen=True)
class MSRResNetConfig:
    scale: int = 4  # 2, 3 or 4
    blocks: int = 16
    width: int = 64  # channels
    upscaled: Literal["leakyrelu", "none"] = "leakyrelu"  # the activation after each pixel shuffle


class MSRResNet(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = MSRResNetConfig
    channels = 3
    multiple = 1

    def __init__(self, config: MSRResNetConfig) -> None:
        super().__init__()
        if config.scale not in _SHUFFLES:
            raise UsageError(f"MSRResNet is built for x2, x3 and x4, not x{config.scale}")
        if config.upscaled not in ("leakyrelu", "none"):
            raise UsageError(f"no activation {config.upscaled!r}; there are leakyrelu, none")
        width, self.scale = config.width, config.scale
        self.conv_first = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(_Block(width) for _ in range(config.blocks)))
        self.steps = _SHUFFLES[config.scale]
        for number, step in enumerate(self.steps, 1):
            self.add_module(f"upconv{number}", nn.Conv2d(width, step**2 * width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.1)
        self.upscaled: nn.Module = nn.LeakyReLU(0.1) if config.upscaled == "leakyrelu" else nn.Identity()
        with torch.no_grad():
            for layer in (self.conv_first, self.conv_hr, self.conv_last):
                nn.init.kaiming_normal_(layer.weight)
                layer.weight *= 0.1
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one

    def forward(self, x: Tensor) -> Tensor:
        enlarged = functional.interpolate(x, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        x = self.body(self.lrelu(self.conv_first(x)))  # (N, width, H, W)
        for number, step in enumerate(self.steps, 1):
            x = functional.pixel_shuffle(self.get_submodule(f"upconv{number}")(x), step)
            x = self.upscaled(x)  # (N, width, H * scale, W * scale) in the end
        y: Tensor = self.conv_last(self.lrelu(self.conv_hr(x)))  # (N, 3, H * scale, W * scale)
        return y + enlarged


class _Block(nn.Module):
    """Two convolutions with a ReLU between them; their result is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x).relu())  # (N, width, H, W)
        return x + y


def _config_from_weights(weights: Weights) -> ConfigFields:
    outputs, width = weights["upconv1.weight"].shape[:2]
    scale = isqrt(outputs // width) * (2 if "upconv2.weight" in weights else 1)
    return {"scale": scale, "blocks": count_modules(weights, "body"), "width": width, "upscaled": "leakyrelu"}


def _from_mmagic(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    rules: dict[str, Replacement] = {
        r"(conv_first|conv_hr|conv_last)": r"\1",
        r"trunk_net\.(\d+)\.(conv[12])": r"body.\1.\2",
        r"upsample([12])\.upsample_conv": r"upconv\1",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {"upscaled": "none"})


def _from_mmsr(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    rules: dict[str, Replacement] = {
        r"(conv_first|conv_last|upconv[12])": r"\1",
        r"recon_trunk\.(\d+)\.(conv[12])": r"body.\1.\2",
        "HRconv": "conv_hr",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {})


DECLARATION = Declaration(
    MSRResNet,
    _config_from_weights,
    paper="arXiv:1609.04802",
    layouts=(
        KeyLayout("MSRResNet of MMagic", _from_mmagic, "trunk_net upsample_conv upsample1 conv_hr"),
        KeyLayout("MSRResNet of mmsr", _from_mmsr, "recon_trunk upconv1 upconv2 HRconv"),
    ),
    small={"blocks": 2, "width": 16, "scale": 2},
)
