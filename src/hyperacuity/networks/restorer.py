"""Restorer: cleans and enlarges blurred, noisy and compressed RGB images; plain 3x3 convolutions at two resolutions.

No paper. Most layers work at half the resolution of the input, where the same kernels reach twice as far at a quarter
of the work: JPEG's blocks, noise and blur are wider than what a small network otherwise sees. Zhang, Zuo, Zhang:
"FFDNet: Toward a Fast and Flexible Solution for CNN based Image Denoising", IEEE TIP 2018, arXiv 1710.04026, section
III (there by pixel unshuffle, after which a 3x3 kernel is the same as the 6x6 kernel with stride 2 here). The last
layers work at the full resolution of the input, for the finest detail, and see the input once more.

As in Acute, layers train as several branches and work as one kernel (see `branches`), the activation is ReLU, and the
nearest-neighbour enlargement of the input is added at the end (Du et al., "Anchor-based Plain Net for Mobile Image
Super-Resolution" (ABPN), CVPR Workshops 2021, arXiv 2105.09750). Written for Hyperacuity, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.networks import branches
from hyperacuity.networks.branches import BranchedConv
from hyperacuity.networks.declaration import ConfigFields, Declaration, Weights
from hyperacuity.networks.state_dicts import count_modules


@dataclass(frozen=True)
class RestorerConfig:
    """The shape of a Restorer.

    Args:
        scale: Output pixels per input pixel along a side; 1 restores only.
        features: Channels at half resolution.
        layers: Hidden layers at half resolution.
        fine_features: Channels at full resolution.
        fine_layers: Hidden layers at full resolution.
        expansion: How much wider the 1x1-3x3 branch is inside; costs nothing after the training.
        folded: One kernel in place of the branches: the form for inference.
    """

    scale: int = 4
    features: int = 48
    layers: int = 9
    fine_features: int = 32
    fine_layers: int = 3
    expansion: int = 2
    folded: bool = False


class Restorer(nn.Module):
    """(N, 3, H, W) RGB -> (N, 3, H * scale, W * scale); H and W are even."""

    Config = RestorerConfig
    channels = 3
    multiple = 2

    def __init__(self, config: RestorerConfig) -> None:
        super().__init__()
        f, fine = config.features, config.fine_features
        layer = partial(BranchedConv, expansion=config.expansion, folded=config.folded)
        hidden = (layer(f, f, gain=1 / config.layers, keeps_input=True) for _ in range(config.layers))
        finer = (layer(fine, fine, gain=1 / config.fine_layers, keeps_input=True) for _ in range(config.fine_layers))
        self.config = config
        self.scale = config.scale
        self.halve = nn.Conv2d(3, f, 6, stride=2, padding=2)
        self.hidden = nn.ModuleList(hidden)
        self.widen = layer(f, 4 * fine, gain=1.0)
        self.near = nn.Conv2d(3, fine, 3, padding=1)
        self.fine = nn.ModuleList(finer)
        # The last layer begins small: the network begins as the nearest-neighbour enlargement.
        self.last = layer(fine, 3 * config.scale**2, gain=1e-3)
        self.relu = nn.ReLU()
        for plain in (self.halve, self.near):
            nn.init.kaiming_normal_(plain.weight)
            nn.init.zeros_(plain.bias)  # type: ignore[arg-type]  # it has one
            # At first independent of the level of grey: ReLU should bend at edges, not at some brightness.
            with torch.no_grad():
                plain.weight -= plain.weight.mean((2, 3), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.halve(x))  # (N, features, H / 2, W / 2)
        for layer in self.hidden:
            y = self.relu(layer(y))  # (N, features, H / 2, W / 2)
        y = functional.pixel_shuffle(self.widen(y), 2)  # (N, fine_features, H, W)
        y = self.relu(y + self.near(x))  # (N, fine_features, H, W)
        for layer in self.fine:
            y = self.relu(layer(y))  # (N, fine_features, H, W)
        y = self.last(y) + x.repeat_interleave(self.scale**2, 1)  # (N, 3 * scale^2, H, W)
        return functional.pixel_shuffle(y, self.scale)  # (N, 3, H * scale, W * scale)

    @torch.no_grad()
    def folded(self) -> Restorer:
        """Returns the same function with one kernel in place of each layer's branches."""
        if self.config.folded:
            return self
        network = Restorer(replace(self.config, folded=True)).to(self.halve.weight)
        network.load_state_dict(branches.folded_weights(self))
        return network.train(self.training)

    @torch.no_grad()
    def rescaled(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns folded weights of a multiple of this scale as weights of this one; others as they are.

        The last layer is averaged over the places that become one pixel: the result is that of the other scale, shrunk
        by area.
        """
        result = dict(weights)
        if "halve.weight" not in weights:  # not of a Restorer
            return result
        factor, rest = divmod(isqrt(weights["last.square.bias"].shape[0] // 3), self.scale)
        if rest == 0:
            for name in ("last.square.weight", "last.square.bias"):
                # In the order of a pixel shuffle, here by blocks: (3, scale, factor, scale, factor, ...).
                places = weights[name].reshape(3, self.scale, factor, self.scale, factor, *weights[name].shape[1:])
                result[name] = places.mean((2, 4)).flatten(0, 2)
        return result

    @torch.no_grad()
    def unfolded(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns weights of the folded form as weights of this one: see `branches.unfolded_weights`."""
        plain = {name: value for name, value in weights.items() if name.startswith(("halve.", "near."))}
        return plain | branches.unfolded_weights(self, weights)


def _config_from_weights(weights: Weights) -> ConfigFields:
    """The config of a state dict in our own keys; the folded form has no branches."""
    features, fine = (weights[f"{name}.weight"].shape[0] for name in ("halve", "near"))
    folded = "widen.widen.weight" not in weights
    config = {
        "scale": isqrt(weights["last.square.weight"].shape[0] // 3),
        "features": features,
        "layers": count_modules(weights, "hidden"),
        "fine_features": fine,
        "fine_layers": count_modules(weights, "fine"),
        "folded": folded,
    }
    return config if folded else config | {"expansion": weights["widen.widen.weight"].shape[0] // features}


DECLARATION = Declaration(
    Restorer,
    _config_from_weights,  # the scales are the default, and 1, which restores only
    small={"features": 8, "layers": 2, "fine_features": 4, "fine_layers": 1},
)
