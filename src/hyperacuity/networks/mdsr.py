"""MDSR: one body for x2, x3 and x4, and a head and a tail for each; the baseline of 16 blocks, the full one of 80.

Lim, Son, Kim, Nah, Lee: "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops 2017, arXiv
1707.02921, section 3.4, figure 5. Written from the paper, without other code; that the first and the last convolution
are shared is in the authors' code, and in their count of 8.0 million weights. Works on RGB. Blocks, upsamplers, range
and where training begins are EDSR's.

The network holds all `scales`; `scale` is the one that `forward` takes, and may be set between two calls: that is how
one is trained, with a random scale for each batch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Undetermined, Weights
from hyperacuity.networks.edsr import RESIDUAL_BLOCK, ResidualBlock, Upsampler, carry, mean_colour
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys


@dataclass(frozen=True)
class MDSRConfig:
    scale: int = 2  # the one to enlarge by, of `scales`
    scales: tuple[int, ...] = (2, 3, 4)  # those that the network has a head and a tail for
    blocks: int = 16  # residual blocks; the full network has 80
    width: int = 64  # channels
    residual: float = 1.0  # the part of its result that a block adds
    rgb_mean: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)  # DIV2K's, taken off before and given back after
    rgb_range: float = 255.0  # white, within the network


class MDSR(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 3, H * scale, W * scale)."""

    Config = MDSRConfig
    channels = 3
    multiple = 1
    mean: Tensor

    def __init__(self, config: MDSRConfig) -> None:
        super().__init__()
        if config.scale not in config.scales:
            raise ValueError(f"scale {config.scale} is not one of the network's scales {tuple(config.scales)}")
        self.config = config
        self.scale = config.scale
        self.range = config.rgb_range
        self.register_buffer("mean", torch.tensor(config.rgb_mean).view(1, 3, 1, 1), persistent=False)
        width, part = config.width, config.residual
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.heads = nn.ModuleDict(
            {f"x{s}": nn.Sequential(*(ResidualBlock(width, 5, part) for _ in range(2))) for s in config.scales}
        )
        self.body = nn.Sequential(*(ResidualBlock(width, 3, part) for _ in range(config.blocks)))
        self.joint = nn.Conv2d(width, width, 3, padding=1)
        self.upscale = nn.ModuleDict({f"x{s}": Upsampler(width, s) for s in config.scales})
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        carry(self.head, self.joint, self.tail)
        with torch.no_grad():
            for name, parameter in self.heads.named_parameters():
                if ".second." in name:
                    parameter[:3] = 0  # they add nothing to the image that the first channels carry

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) * self.range
        x = self.heads[f"x{self.scale}"](self.head(x))  # (N, width, H, W)
        x = x + self.joint(self.body(x))  # (N, width, H, W)
        x = self.tail(self.upscale[f"x{self.scale}"](x))  # (N, 3, H * scale, W * scale)
        return x / self.range + self.mean


def _config_from_weights(weights: Weights) -> ConfigFields:
    numbers = {int(name.split(".")[1].removeprefix("x")) for name in weights if name.startswith("upscale.")}
    scales = tuple(sorted(numbers))
    return {
        "scale": scales[0] if len(scales) == 1 else Undetermined(scales),
        "scales": scales,
        "blocks": count_modules(weights, "body"),
        "width": weights["head.weight"].shape[0],
    }


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Looks at values as EDSR does. Scales are numbered in the order of training: each upsampler shows its own."""
    scales: dict[str, int] = {}
    for name, value in weights.items():
        if (found := re.fullmatch(r"upsample\.(\d+)\.\d+\.weight", name)) and value.dim() == 4:
            scales[found[1]] = scales.get(found[1], 1) * round((value.shape[0] / value.shape[1]) ** 0.5)
    if not scales or len(set(scales.values())) < len(scales):
        return None
    rules: dict[str, Replacement] = {
        r"(sub|add)_mean": "",
        r"head\.0": "head",
        r"pre_process\.(\d+)\.([01])\.body\.([02])": lambda found: (
            f"heads.x{scales[found[1]]}.{found[2]}.{RESIDUAL_BLOCK[found[3]]}"
        ),
        r"body\.(\d+)\.body\.([02])": lambda found: f"body.{found[1]}.{RESIDUAL_BLOCK[found[2]]}",
        r"body\.\d+": "joint",
        r"upsample\.(\d+)\.(\d+)": lambda found: f"upscale.x{scales[found[1]]}.{found[2]}",
        r"tail\.0": "tail",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (renamed, mean_colour(weights))


DECLARATION = Declaration(
    MDSR,
    _config_from_weights,
    paper="arXiv:1707.02921",
    scales=(2,),  # the only one that the small config holds
    layouts=(KeyLayout("MDSR of its authors", _from_authors, "sub_mean head pre_process body upsample tail add_mean"),),
    published_counts=(  # the paper and its repository give 3.2 and 8.0 million
        PublishedCount({}, 3_227_203, biases=True),
        PublishedCount({"blocks": 80}, 7_953_987, biases=True),
    ),
    small={"scales": (2,), "blocks": 2, "width": 16},
)
