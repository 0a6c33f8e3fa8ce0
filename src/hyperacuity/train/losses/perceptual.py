"""The difference of VGG19's features."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.networks.perceptual import VGG19Features
from hyperacuity.train.losses.loss import LossSettings, to_rgb


class Perceptual(LossSettings):
    """The difference of VGG19's features.

    layers: weights by name. The default is that of ESRGAN (arXiv 1809.00219, section 3.3); Real-ESRGAN uses conv1_2
    0.1, conv2_2 0.1, conv3_4 1, conv4_4 1, conv5_4 1. after_activation: as in SRGAN (arXiv 1609.04802, equation 5),
    whose distance is mse and whose weight 0.006.
    """

    of_appearance: ClassVar[bool] = True

    vgg19: Path  # torchvision's vgg19-dcbb9e9d.pth
    layers: dict[str, PositiveFloat] = Field(default={"conv5_4": 1.0})
    after_activation: bool = False
    distance: Literal["l1", "mse"] = "l1"

    def build(self) -> nn.Module:
        """See `LossSettings.build`."""
        return PerceptualDistance(self)


class PerceptualDistance(nn.Module):
    """The distance of features, summed over layers by their weights."""

    def __init__(self, settings: Perceptual) -> None:
        super().__init__()
        self.layers = settings.layers
        self.vgg = VGG19Features.from_file(
            settings.vgg19, list(settings.layers), after_activation=settings.after_activation
        )
        self.distance = functional.l1_loss if settings.distance == "l1" else functional.mse_loss

    def forward(self, sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
        """Compute the loss; no gradients pass to the features of HR."""
        with torch.no_grad():
            wanted = self.vgg(to_rgb(hr))
        found = self.vgg(to_rgb(sr))
        terms = [
            weight * self.distance(found[name].float(), wanted[name].float()) for name, weight in self.layers.items()
        ]
        return torch.stack(terms).sum()
