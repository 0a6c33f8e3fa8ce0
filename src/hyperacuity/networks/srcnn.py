"""SRCNN: the first convolutional network for super-resolution; three layers over an image already enlarged.

Dong, Loy, He, Tang: "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV 2014; "Image
Super-Resolution Using Deep Convolutional Networks", IEEE TPAMI 38(2), 2016, arXiv 1501.00092, section 4.3 (9-1-5,
9-3-5, 9-5-5). Written from the papers, without other code. Works on luma that bicubic has enlarged.

What differs: training pads too, as the authors' demo does when it infers (each layer's input is continued by its
border pixels), where the paper trains without padding on patches whose rim it loses. And training begins at the
bicubic image: the first channel of each layer carries it through; the paper begins with noise. What the other kernels
of the first layer answer does not depend on the level of grey, so that ReLU bends at edges, not at some brightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from hyperacuity.networks.declaration import ConfigFields, Declaration, KeyLayout, PublishedCount, Weights
from hyperacuity.networks.state_dicts import rename_keys


@dataclass(frozen=True)
class SRCNNConfig:
    middle: int = 1  # side of the mapping's kernels: 1, 3 or 5
    n1: int = 64  # channels of the feature extraction
    n2: int = 32  # channels of the mapping
    padding: Literal["replicate", "zeros"] = "replicate"  # what lies beyond the border, for every layer
    channels: int = 1  # 3 for RGB, as MMagic trains it


class SRCNN(nn.Module):
    """(N, 1, H, W) luma, enlarged by bicubic -> (N, 1, H, W); or the same of 3 channels, RGB."""

    Config = SRCNNConfig
    multiple = 1
    scale = 1

    def __init__(self, config: SRCNNConfig) -> None:
        super().__init__()
        if config.middle % 2 == 0:
            raise ValueError(f"middle must be odd, to have a centre; got {config.middle}")
        if config.channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3; got {config.channels}")
        mode, self.channels = config.padding, config.channels
        self.extract = nn.Conv2d(self.channels, config.n1, 9, padding=4, padding_mode=mode)
        self.map = nn.Conv2d(config.n1, config.n2, config.middle, padding=config.middle // 2, padding_mode=mode)
        self.reconstruct = nn.Conv2d(config.n2, self.channels, 5, padding=2, padding_mode=mode)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        x = self.extract(x).relu()  # (N, n1, H, W)
        x = self.map(x).relu()  # (N, n2, H, W)
        y: Tensor = self.reconstruct(x)  # (N, channels, H, W)
        return y

    @torch.no_grad()
    def _initialise(self) -> None:
        """He's initialisation, in the first layer twice that with kernels of a sum of 0, and noise at the end; but each
        layer's first channels, as many as the image has, are the identity.
        """
        for layer in (self.extract, self.map, self.reconstruct):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these convolutions all have one
        self.extract.weight -= self.extract.weight.mean((1, 2, 3), keepdim=True)
        self.extract.weight *= 2
        nn.init.normal_(self.reconstruct.weight, std=0.001)
        self.reconstruct.weight[:, : self.channels] = 0
        for layer in (self.extract, self.map, self.reconstruct):
            if layer is not self.reconstruct:
                layer.weight[: self.channels] = 0
            for c in range(self.channels):
                layer.weight[c, c, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1


def _config_from_weights(weights: Weights) -> ConfigFields:
    n2, n1, middle = weights["map.weight"].shape[:3]
    return {"middle": middle, "n1": n1, "n2": n2, "channels": weights["extract.weight"].shape[1]}


def _from_authors(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    """Looks at values: the authors' networks work on 0 to 255, others on 0 to 1, with the same names and shapes.

    A plain grey must come out as the same grey, which is so for only one of the two. The authors' networks repeat the
    border pixels; those of others are trained with zeros beyond the borders. Networks on RGB are MMagic's.
    """
    ours = rename_keys(weights, {"conv1": "extract", "conv2": "map", "conv3": "reconstruct"})
    if ours is None or len(ours) != 6 or any(value.dim() not in (1, 4) for value in ours.values()):
        return None
    to_one = {"extract.weight": 255.0, "reconstruct.weight": 1 / 255, "reconstruct.bias": 1 / 255}
    scaled = {name: value * to_one.get(name, 1) for name, value in ours.items()}
    error, error_scaled = _grey_error(ours), _grey_error(scaled)
    if min(error, error_scaled) > 0.25:
        raise ValueError("neither on 0 to 1 nor on 0 to 255 does a plain grey come out as it went in")
    if error <= error_scaled or ours["extract.weight"].shape[1] == 3:
        return ours, {"padding": "zeros"}
    return scaled, {"padding": "replicate"}


def _grey_error(weights: Weights) -> float:
    """The largest change of a plain grey; away from the borders a kernel acts as the sum of its taps."""
    grey = torch.tensor([[0.2, 0.5, 0.8]]).expand(weights["extract.weight"].shape[1], -1)  # (channels, greys)
    x = grey
    for layer in ("extract", "map", "reconstruct"):
        x = weights[f"{layer}.weight"].sum((2, 3)) @ x + weights[f"{layer}.bias"][:, None]  # (channels, greys)
        x = x if layer == "reconstruct" else x.relu()
    return float((x - grey).abs().max())


DECLARATION = Declaration(
    SRCNN,
    _config_from_weights,
    paper="arXiv:1501.00092",
    scales=(1,),
    layouts=(KeyLayout("SRCNN of its authors, of yjn870 or of MMagic", _from_authors),),
    published_counts=(
        PublishedCount({"middle": 1}, 8_032, biases=False),
        PublishedCount({"middle": 3}, 24_416, biases=False),
        PublishedCount({"middle": 5}, 57_184, biases=False),
    ),
)
