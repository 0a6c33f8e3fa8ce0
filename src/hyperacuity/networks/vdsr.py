"""VDSR: twenty layers that learn only what the enlarged image lacks; one network for x2, x3 and x4.

Kim, Lee, Lee: "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016, arXiv 1511.04587,
section 3. Written from the paper, without other code. Works on luma that bicubic has enlarged; the network does
not know by how much.

What differs: the last layer begins as faint noise instead of He's, so that training begins at the bicubic image, and
the layers between begin near the identity. From He's noise alone, twenty layers without shortcuts learn little for
hundreds of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.state_dicts import Replacement, count_modules, rename_keys, with_zero_biases

# The share of He's noise in the layers that begin near the identity.
_NOISE = 0.3


@dataclass(frozen=True)
class VDSRConfig:
    depth: int = 20  # layers, the first and the last among them
    width: int = 64  # channels between them


class VDSR(nn.Module):
    """(N, 1, H, W) luma, enlarged by bicubic -> (N, 1, H, W)."""

    Config = VDSRConfig
    channels = 1
    multiple = 1
    scale = 1

    def __init__(self, config: VDSRConfig) -> None:
        super().__init__()
        widths = (1, *(config.width,) * (config.depth - 1))
        self.body = nn.Sequential()
        for before, after in pairwise(widths):
            self.body.extend([nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)])
        self.last = nn.Conv2d(config.width, 1, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
                if layer.in_channels == layer.out_channels:
                    identity = nn.init.dirac_(torch.empty_like(layer.weight))
                    layer.weight.data.mul_(_NOISE).add_(identity)
        nn.init.normal_(self.last.weight, std=0.0003)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.last(self.body(x))  # (N, 1, H, W), through (N, width, H, W)
        return x + residual


def _config_from_weights(weights: Weights) -> ConfigFields:
    return {"depth": count_modules(weights, "body") + 1, "width": weights["last.weight"].shape[1]}


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    last = str(len({name.partition(".")[0] for name in weights}))
    rules: dict[str, Replacement] = {
        rf"conv{last}": "last",
        r"conv(\d+)": lambda found: f"body.{2 * int(found[1]) - 2}",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (with_zero_biases(renamed), {})


def _from_twtygqyy(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    rules: dict[str, Replacement] = {
        "input": "body.0",
        r"residual_layer\.(\d+)\.conv": lambda found: f"body.{2 * int(found[1]) + 2}",
        "output": "last",
    }
    renamed = rename_keys(weights, rules)
    return None if renamed is None else (with_zero_biases(renamed), {})


DECLARATION = Declaration(
    VDSR,
    _config_from_weights,
    paper="arXiv:1511.04587",
    scales=(1,),
    enlarged=(2, 3, 4),
    layouts=(
        KeyLayout("VDSR of its authors", _from_authors),
        KeyLayout("VDSR of twtygqyy", _from_twtygqyy, "residual_layer input output conv"),
    ),
    published_counts=(PublishedCount({}, 664_704, biases=False),),
    small={"depth": 5, "width": 16},
)
