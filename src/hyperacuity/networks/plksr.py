"""PLKSR: large kernels on a few of the channels, between small ones on all; RealPLKSR normalises each block.

Lee, Yun, Ro: "Partial Large Kernel CNNs for Efficient Super-Resolution", 2024, arXiv 2404.11848, sections 3.1 to 3.4.
RealPLKSR is the form in which the community trains it for real photos (neosr): Mish in place of GELU, two 3x3 kernels
in the mixer, a group normalisation at the end of each block. Written from the paper and from the names and shapes of
published weights. The authors' code is MIT; weights have the licence of who trained them. Works on RGB.

What differs: nothing that the result depends on. The paper's other large kernels (sparse, rectangular), which it
compares and does not choose, are not here, nor is the sampler DySample of some RealPLKSR. The normalisation takes
statistics of the whole image: an image cut into tiles gives nearly the same image, not the same.
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

_ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "mish": nn.Mish}
# Of RealPLKSR; the weights do not show it, and everyone trains with it.
_NORM_GROUPS = 4


@dataclass(frozen=True)
class PLKSRConfig:
    scale: int = 4
    features: int = 64  # channels
    blocks: int = 28
    large: int = 16  # the first channels, which the large kernel works on
    kernel: int = 17  # side of the large kernel
    mixer: tuple[int, int] = (3, 3)  # sides of the mixer's two kernels
    attention: bool = True  # whether each element is weighed
    activation: Literal["gelu", "mish"] = "gelu"
    norm: bool = False  # whether each block ends with a group normalisation, as in RealPLKSR


class PLKSR(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale)."""

    Config = PLKSRConfig
    channels = 3
    multiple = 1

    def __init__(self, config: PLKSRConfig) -> None:
        super().__init__()
        if config.activation not in _ACTIVATIONS:
            raise UsageError(f"no activation {config.activation!r}; there are {', '.join(_ACTIVATIONS)}")
        self.scale = config.scale
        self.head = nn.Conv2d(3, config.features, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(config) for _ in range(config.blocks)))
        self.tail = nn.Conv2d(config.features, 3 * config.scale**2, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.trunc_normal_(layer.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tail(self.blocks(self.head(x)))  # (N, 3 scale^2, H, W)
        y = functional.pixel_shuffle(y, self.scale)  # (N, 3, H * scale, W * scale)
        return y + functional.interpolate(x, scale_factor=float(self.scale), mode="nearest")


class _Block(nn.Module):
    """Mix channels, look far in some of them, weigh all, and add the input."""

    def __init__(self, config: PLKSRConfig) -> None:
        super().__init__()
        f = config.features
        inner, outer = config.mixer
        self.mixer = nn.Sequential(
            nn.Conv2d(f, 2 * f, inner, padding=inner // 2),
            _ACTIVATIONS[config.activation](),
            nn.Conv2d(2 * f, f, outer, padding=outer // 2),
        )
        self.sizes = [config.large, f - config.large]
        self.lk = nn.Conv2d(config.large, config.large, config.kernel, padding=config.kernel // 2)
        self.attention: nn.Module = (
            nn.Sequential(nn.Conv2d(f, f, 3, padding=1), nn.Sigmoid()) if config.attention else nn.Identity()
        )
        self.weighs = config.attention
        self.refine = nn.Conv2d(f, f, 1)
        self.norm: nn.Module = _Norm(_NORM_GROUPS, f) if config.norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        large, rest = self.mixer(x).split(self.sizes, 1)  # (N, large, H, W), (N, features - large, H, W)
        y = torch.cat((self.lk(large), rest), 1)  # (N, features, H, W)
        if self.weighs:
            y = y * self.attention(y)  # (N, features, H, W)
        result: Tensor = self.norm(self.refine(y))
        return x + result


class _Norm(nn.GroupNorm):
    whole = True


def _config_from_weights(weights: Weights) -> ConfigFields:
    block = "blocks.0"
    norm = f"{block}.norm.weight" in weights
    large, _, kernel, _ = weights[f"{block}.lk.weight"].shape
    return {
        "scale": isqrt(weights["tail.weight"].shape[0] // 3),
        "features": weights["head.weight"].shape[0],
        "blocks": count_modules(weights, "blocks"),
        "large": large,
        "kernel": kernel,
        "mixer": tuple(weights[f"{block}.mixer.{n}.weight"].shape[-1] for n in (0, 2)),
        "attention": f"{block}.attention.0.weight" in weights,
        "norm": norm,
        "activation": "mish" if norm else "gelu",
    }


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """PLKSR, whose mixer is spelt `channe_mixer`, and RealPLKSR, whose mixer is spelt otherwise."""
    if any(name.startswith("to_img.") for name in weights):
        raise ValueError("it enlarges by DySample, which is not here")
    numbers = [int(name.split(".")[1]) for name in weights if name.startswith("feats.")]
    last = max(numbers, default=0)
    rules: dict[str, Replacement] = {
        r"feats\.0": "head",
        rf"feats\.{last}": "tail",
        r"feats\.(\d+)\.channel?_mixer\.([02])": lambda found: f"blocks.{int(found[1]) - 1}.mixer.{found[2]}",
        r"feats\.(\d+)\.lk\.conv": lambda found: f"blocks.{int(found[1]) - 1}.lk",
        r"feats\.(\d+)\.attn\.f\.0": lambda found: f"blocks.{int(found[1]) - 1}.attention.0",
        r"feats\.(\d+)\.(refine|norm)": lambda found: f"blocks.{int(found[1]) - 1}.{found[2]}",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, {})


DECLARATION = Declaration(
    PLKSR,
    _config_from_weights,
    paper="arXiv:2404.11848",
    layouts=(
        KeyLayout(
            "PLKSR of its authors, or RealPLKSR", _from_authors, "feats channe_mixer channel_mixer lk refine attn"
        ),
    ),
    small={"scale": 2, "features": 16, "blocks": 2, "large": 4, "kernel": 5},
)
