"""LPIPS: how different two images look, measured on features of a network, here SqueezeNet 1.1.

Zhang, Isola, Efros, Shechtman, Wang: "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
2018, arXiv 1801.03924, section 3, version 0.1 (linear weights on frozen features). SqueezeNet: Iandola et al., arXiv
1602.07360, as torchvision publishes it. Written from the papers and the weights' names, without other code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError
from hyperacuity.networks.perceptual import weights

# The layers of SqueezeNet before each of the seven comparisons, by their number in torchvision's weights.
STAGES = ((0, 1), (2, 3, 4), (5, 6, 7), (8, 9), (10,), (11,), (12,))
CHANNELS = (64, 128, 256, 384, 384, 512, 512)
POOLS = (2, 5, 8)
# (inputs, squeezed, expanded by each kernel) of the fire modules.
FIRES = {
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}
# Of images on [-1, 1], as the authors' linear weights were learnt with.
SHIFT, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
LEAST = 17  # pixels of a side that leave something after three poolings


class LPIPS(nn.Module):
    """The perceptual distance of images: two batches (N, 3, H, W) of RGB in [0, 1] -> (N,), 0 for equal images.

    Raises:
        UsageError: In `forward`, a side is shorter than 17 pixels.

    Source:
        Zhang et al., arXiv 1801.03924, section 3.
    """

    shift: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {"0": nn.Conv2d(3, 64, 3, stride=2), "1": nn.ReLU()}
        layers |= {str(n): _Fire(*shape) for n, shape in FIRES.items()}
        layers |= {str(n): nn.MaxPool2d(3, stride=2, ceil_mode=True) for n in POOLS}
        self.features = nn.ModuleDict(layers)
        self.linear = nn.ParameterList([nn.Parameter(torch.zeros(1, count, 1, 1)) for count in CHANNELS])
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_files(cls, squeezenet: Path, linear: Path) -> Self:
        """Build the network with its weights; they are frozen.

        Args:
            squeezenet: torchvision's squeezenet1_1, as .pth or .safetensors.
            linear: The authors' v0.1/squeeze.pth.

        Raises:
            UsageError: A file does not exist.
            WeightsError: A file does not hold these weights.
        """
        network = cls()
        features = {f"features.{name}": f"features.{name}" for name in network.features.state_dict()}
        weights.fill(network, squeezenet, "torchvision's squeezenet1_1 weights", features)
        linears = {f"linear.{n}": f"lin{n}.model.1.weight" for n in range(len(CHANNELS))}
        weights.fill(network, linear, "LPIPS's linear weights on SqueezeNet (weights/v0.1/squeeze.pth)", linears)
        return network.eval().requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        if min(a.shape[-2:]) < LEAST:
            raise UsageError(f"LPIPS needs {LEAST} x {LEAST} pixels or more; got {tuple(a.shape[-2:])}")
        distance = a.new_zeros(len(a))
        # One after the other, not as one batch: no gradient is then taken through the one that needs none.
        for first, second, weight in zip(self._features(a), self._features(b), self.linear, strict=True):
            distance = distance + ((first - second).square() * weight).sum(1).mean((1, 2))
        return distance

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        x = (x * 2 - 1 - self.shift) / self.spread
        for stage in STAGES:
            for layer in stage:
                x = self.features[str(layer)](x)
            yield functional.normalize(x, dim=1, eps=1e-10)


class _Fire(nn.Module):
    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.squeeze(x))
        return torch.cat((functional.relu(self.expand1x1(x)), functional.relu(self.expand3x3(x))), 1)
