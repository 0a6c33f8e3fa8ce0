"""Acute: our own family for CPUs and phones, plain 3x3 convolutions on luma in six sizes.

No paper. Each layer trains as several branches (3x3, 1x1, 1x1 then 3x3, and the input itself) and works as the one 3x3
kernel that they amount to: Ding et al., "RepVGG", CVPR 2021, arXiv 2101.03697; Zhang et al., "Edge-oriented Convolution
Block for Real-time Super Resolution on Mobile Devices" (ECBSR), ACM Multimedia 2021; without batch normalisation. The
kernel is multiplied together at each step of the training, so that a step costs little more than the plain network's:
Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution" (SESR), MLSys 2022, arXiv 2103.09404.
The input is added to each phase before the pixel shuffle, which is its nearest-neighbour enlargement: Du et al.,
"Anchor-based Plain Net for Mobile Image Super-Resolution" (ABPN), CVPR Workshops 2021, arXiv 2105.09750. ReLU, because
PReLU makes a network 1.6 times slower on CPUs. Written for Hyperacuity, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError, nearest
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
        # What a layer adds to the variance of its input. The hidden ones keep their input too: together times e.
        # The last begins small: the network begins as the nearest-neighbour enlargement.
        hidden = (_Layer(f, f, config, gain=1 / config.layers, keeps_input=True) for _ in range(config.layers))
        self.first = _Layer(1, f, config, gain=2.0)
        self.hidden = nn.ModuleList(hidden)
        self.last = _Layer(f, config.scale**2, config, gain=1e-3)
        self.relu = nn.ReLU()
        with (
            torch.no_grad()
        ):  # at first independent of the level of grey: ReLU should bend at edges, not at some brightness
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
        for name, layer in self.named_modules():
            if isinstance(layer, _Layer):
                weight, bias = layer.kernel()
                assert bias is not None
                network.get_parameter(f"{name}.square.weight").copy_(weight)
                network.get_parameter(f"{name}.square.bias").copy_(bias)
        return network.train(self.training)

    @torch.no_grad()
    def unfolded(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns weights of the folded form as weights of this one.

        The 3x3 branch compensates what the other branches add, which do not change. Layers of another shape are left
        out; additional hidden layers of this network do nothing at first (Chen et al., "Net2Net", ICLR 2016, arXiv
        1511.05641, section 2.3).
        """
        taken: dict[str, Tensor] = {}
        hidden = weights.get("hidden.0.square.weight")
        for name, layer in self.named_modules():
            if isinstance(layer, _Layer):
                square = layer.square.weight
                kernel, bias = weights.get(f"{name}.square.weight"), weights.get(f"{name}.square.bias")
                if kernel is None and layer.keeps_input and hidden is not None and hidden.shape == square.shape:
                    kernel, bias = _identity(square), torch.zeros_like(square[:, 0, 0, 0])
                if kernel is not None and bias is not None and kernel.shape == square.shape:
                    taken |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
                    taken[f"{name}.square.weight"] = kernel - (layer.kernel()[0] - square)
                    taken[f"{name}.square.bias"] = bias
        return taken


class _Layer(nn.Module):
    """A 3x3 convolution as the sum of 3x3, 1x1, and 1x1 then 3x3; with `keeps_input` also of the input itself.

    gain: the variance of the branches' sum over the variance of the input, before training.
    """

    def __init__(
        self, inputs: int, outputs: int, config: AcuteConfig, *, gain: float, keeps_input: bool = False
    ) -> None:
        super().__init__()
        self.is_folded = config.folded
        self.keeps_input = keeps_input
        self.square = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.zeros_(self.square.bias)  # type: ignore[arg-type]  # it has one
        if config.folded:
            nn.init.normal_(self.square.weight, std=(gain / (9 * inputs)) ** 0.5)
            if self.keeps_input:
                with torch.no_grad():
                    self.square.weight += _identity(self.square.weight)
            return
        wide = config.expansion * inputs
        self.point = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.widen = nn.Conv2d(inputs, wide, 1, bias=False)  # a bias would be cut off at the image's border
        self.narrow = nn.Conv2d(wide, outputs, 3, padding=1, bias=False)
        nn.init.normal_(self.square.weight, std=(gain / 3 / (9 * inputs)) ** 0.5)
        nn.init.normal_(self.point.weight, std=(gain / 3 / inputs) ** 0.5)
        nn.init.normal_(self.widen.weight, std=(1 / inputs) ** 0.5)
        nn.init.normal_(self.narrow.weight, std=(gain / 3 / (9 * wide)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_folded:
            y: Tensor = self.square(x)  # (N, outputs, H, W): as a layer, whose work can be counted
            return y
        return functional.conv2d(x, *self.kernel(), padding=1)  # (N, outputs, H, W)

    def kernel(self) -> tuple[Tensor, Tensor | None]:
        """Returns the one kernel (outputs, inputs, 3, 3) equal to all branches, and its bias (outputs)."""
        if self.is_folded:
            return self.square.weight, self.square.bias
        weight = torch.einsum("omhw,mi->oihw", self.narrow.weight, self.widen.weight[:, :, 0, 0])
        weight = weight + self.square.weight + functional.pad(self.point.weight, (1, 1, 1, 1))
        if self.keeps_input:
            weight = weight + _identity(weight)
        return weight, self.square.bias


def _identity(like: Tensor) -> Tensor:
    """The kernel that returns each channel unchanged."""
    return functional.pad(torch.eye(len(like), dtype=like.dtype, device=like.device)[..., None, None], (1, 1, 1, 1))


def config_from_weights(weights: Weights) -> ConfigFields:
    """The config of a state dict in our own keys; the folded form has no branches."""
    outputs, features, *_ = weights["last.square.weight"].shape
    folded = "first.widen.weight" not in weights
    layers = count_modules(weights, "hidden")
    config = {"scale": isqrt(outputs), "features": features, "layers": layers, "folded": folded}
    return config if folded else config | {"expansion": weights["hidden.0.widen.weight"].shape[0] // features}


DECLARATION = Declaration(Acute, config_from_weights)
