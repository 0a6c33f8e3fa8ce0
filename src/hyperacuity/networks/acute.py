"""Acute: our own family for CPUs and phones, plain 3x3 convolutions on luma in six sizes.

No paper. Each layer trains as several branches and works as one 3x3 kernel: see `branches` for the sources. The input
is added to each phase before the pixel shuffle, which is its nearest-neighbour enlargement: Du et al., "Anchor-based
Plain Net for Mobile Image Super-Resolution" (ABPN), CVPR Workshops 2021, arXiv 2105.09750. ReLU, because PReLU makes a
network 1.6 times slower on CPUs. Written for Hyperacuity, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError, nearest
from hyperacuity.networks import branches
from hyperacuity.networks.branches import BranchedConv
from hyperacuity.networks.declaration import ConfigFields, Declaration, Weights
from hyperacuity.networks.state_dicts import count_modules

# Channels and hidden layers of each size, which is named by its parameters at x2 and without branches.
SIZES = {
    "3k": (8, 4),  # 2,708; receptive field 13 x 13
    "10k": (16, 4),  # 10,020; receptive field 13 x 13
    "50k": (32, 5),  # 47,716; 15 x 15
    "100k": (32, 10),  # 93,956; 25 x 25
    "200k": (48, 9),  # 189,268; 23 x 23
    "1m": (80, 17),  # 984,244; 39 x 39
}


@dataclass(frozen=True)
class AcuteConfig:
    scale: int = 2
    features: int = 32  # channels of each layer
    layers: int = 5  # hidden layers, between the first and the last
    expansion: int = 2  # how much wider the 1x1-3x3 branch is inside; costs nothing after the training
    folded: bool = False  # one kernel in place of the branches: the form for inference

    @classmethod
    def sized(cls, size: str, scale: int) -> AcuteConfig:
        """The config of "3k", "10k", "50k", "100k", "200k" or "1m" parameters. Raises `UsageError` for another size."""
        if size not in SIZES:
            raise UsageError(f"no size {size!r}; there are {', '.join(SIZES)}{nearest(size, SIZES)}")
        features, layers = SIZES[size]
        return cls(scale, features, layers)


class Acute(nn.Module):
    """(N, 1, H, W) luma -> (N, 1, H * scale, W * scale)."""

    Config = AcuteConfig
    channels = 1
    multiple = 1

    def __init__(self, config: AcuteConfig) -> None:
        super().__init__()
        f = config.features
        self.config = config
        self.scale = config.scale
        layer = partial(BranchedConv, expansion=config.expansion, folded=config.folded)
        # What a layer adds to the variance of its input. The hidden ones keep their input too: together times e.
        # The last begins small: the network begins as the nearest-neighbour enlargement.
        hidden = (layer(f, f, gain=1 / config.layers, keeps_input=True) for _ in range(config.layers))
        self.first = layer(1, f, gain=2.0)
        self.hidden = nn.ModuleList(hidden)
        self.last = layer(f, config.scale**2, gain=1e-3)
        self.relu = nn.ReLU()
        # At first independent of the level of grey: ReLU should bend at edges, not at some brightness.
        with torch.no_grad():
            self.first.square.weight -= self.first.kernel()[0].mean((1, 2, 3), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.image(x, self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Returns the features (N, features, H, W) that the last layer turns into an image."""
        x = self.relu(self.first(x))  # (N, features, H, W)
        for layer in self.hidden:
            x = self.relu(layer(x))  # (N, features, H, W)
        return x

    def image(self, x: Tensor, features: Tensor) -> Tensor:
        """Returns the image (N, 1, H * scale, W * scale) of these features of `x`."""
        y = self.last(features) + x  # (N, scale^2, H, W)
        return functional.pixel_shuffle(y, self.scale)  # (N, 1, H * scale, W * scale)

    @torch.no_grad()
    def folded(self) -> Acute:
        """The same function with one kernel in place of each layer's branches."""
        if self.config.folded:
            return self
        network = Acute(replace(self.config, folded=True)).to(self.first.square.weight)
        network.load_state_dict(branches.folded_weights(self))
        return network.train(self.training)

    @torch.no_grad()
    def unfolded(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns weights of the folded form as weights of this one: see `branches.unfolded_weights`."""
        return branches.unfolded_weights(self, weights)


def config_from_weights(weights: Weights) -> ConfigFields:
    """The config of a state dict in our own keys; the folded form has no branches."""
    outputs, features, *_ = weights["last.square.weight"].shape
    folded = "first.widen.weight" not in weights
    layers = count_modules(weights, "hidden")
    config = {"scale": isqrt(outputs), "features": features, "layers": layers, "folded": folded}
    return config if folded else config | {"expansion": weights["hidden.0.widen.weight"].shape[0] // features}


DECLARATION = Declaration(Acute, config_from_weights)
