"""VGG19's features, by which SRGAN and ESRGAN compare images.

Simonyan, Zisserman: "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, arXiv 1409.1556,
table 1, column E. Its weights are torchvision's, whose file is not shipped: 548 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.errors import UsageError, nearest
from hyperacuity.networks.perceptual import weights

# Convolutions of each stage, and their channels; a pooling follows each stage.
STAGES = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
# ImageNet's mean and deviation, of RGB in [0, 1].
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _numbered() -> dict[str, tuple[int, int, int]]:
    """By name, such as "conv5_4": its number in torchvision's weights, its inputs and outputs."""
    found, number, inputs = {}, 0, 3
    for stage, (count, outputs) in enumerate(STAGES, 1):
        for n in range(1, count + 1):
            found[f"conv{stage}_{n}"] = (number, inputs, outputs)
            number, inputs = number + 2, outputs  # an activation follows each
        number += 1  # and a pooling
    return found


LAYERS = _numbered()


class VGG19Features(nn.Module):
    """Features of images: (N, 3, H, W) RGB in [0, 1] -> {layer: (N, channels, h, w)}.

    Args:
        layers: Names of convolutions, such as "conv5_4".
        after_activation: Return the features after the activation of each layer, not before it.

    Raises:
        UsageError: `layers` is empty or has an unknown name; in `forward`, the image is too small.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: Sequence[str], *, after_activation: bool = False) -> None:
        super().__init__()
        if not layers:
            raise UsageError(f"name at least one layer of VGG19; there are {', '.join(LAYERS)}")
        for name in layers:
            if name not in LAYERS:
                raise UsageError(f"VGG19 has no layer {name!r}; there are {', '.join(LAYERS)}{nearest(name, LAYERS)}")
        self.layers, self.after_activation = tuple(layers), after_activation
        self.deepest = max(layers, key=lambda name: LAYERS[name][0])
        self.least = 2 ** (int(self.deepest[4]) - 1)  # pixels of a side that leave one after the poolings
        self.features = nn.ModuleDict(
            {
                name: nn.Conv2d(inputs, outputs, 3, padding=1)
                for name, (number, inputs, outputs) in LAYERS.items()
                if number <= LAYERS[self.deepest][0]
            }
        )
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_file(cls, path: Path, layers: Sequence[str], *, after_activation: bool = False) -> Self:
        """Build the network with torchvision's weights; they are frozen.

        Args:
            path: torchvision's vgg19-dcbb9e9d.pth, or the same as .safetensors.
            layers: See the class.
            after_activation: See the class.

        Raises:
            UsageError: The file or a layer does not exist.
            WeightsError: The file does not hold these weights.
        """
        network = cls(layers, after_activation=after_activation)
        names = {
            f"features.{name}.{part}": f"features.{LAYERS[name][0]}.{part}"
            for name in network.features
            for part in ("weight", "bias")
        }
        weights.fill(network, path, "torchvision's VGG19 weights (vgg19-dcbb9e9d.pth)", names)
        return network.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if min(x.shape[-2:]) < self.least:
            least, size = f"{self.least} x {self.least}", tuple(x.shape[-2:])
            raise UsageError(f"VGG19's {self.deepest} needs {least} pixels or more; got {size}")
        x = (x - self.mean) / self.deviation
        found = {}
        for name, convolution in self.features.items():
            if name.endswith("_1") and name != "conv1_1":
                x = functional.max_pool2d(x, 2)
            x = convolution(x)
            if name in self.layers and not self.after_activation:
                found[name] = x
            x = functional.relu(x)
            if name in self.layers and self.after_activation:
                found[name] = x
        return found
