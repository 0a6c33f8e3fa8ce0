"""LPIPS, a learned distance."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from hyperacuity.networks.perceptual import LPIPS
from hyperacuity.train.losses.loss import LossSettings, to_rgb


class Lpips(LossSettings):
    """LPIPS (arXiv 1801.03924) on SqueezeNet."""

    of_appearance: ClassVar[bool] = True

    squeezenet: Path
    linear: Path

    def build(self) -> nn.Module:
        """See `LossSettings.build`."""
        return LpipsDistance(self)


class LpipsDistance(nn.Module):
    """LPIPS, averaged over a batch."""

    def __init__(self, settings: Lpips) -> None:
        super().__init__()
        self.distance = LPIPS.from_files(settings.squeezenet, settings.linear)

    def forward(self, sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
        """Compute the loss."""
        mean: Tensor = self.distance(to_rgb(sr), to_rgb(hr)).float().mean()
        return mean
