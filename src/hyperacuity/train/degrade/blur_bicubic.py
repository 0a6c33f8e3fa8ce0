"""A Gaussian blur before LR is taken."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from hyperacuity.train.degrade.bicubic import Bicubic
from hyperacuity.train.degrade.degradation import Degradation
from hyperacuity.train.degrade.operations import blur
from hyperacuity.train.degrade.operations.resampling import bicubic, exact, to_codes
from hyperacuity.train.degrade.ranges import Widths


class BlurBicubic(Degradation):
    """A Gaussian blur, then bicubic or every `scale`-th pixel (ESPCN, arXiv 1609.05158, section 3).

    sigma: range in HR pixels, drawn for each image. downsample: how the blurred image becomes LR.
    """

    kind: Literal["blur-bicubic"] = "blur-bicubic"
    sigma: Widths = (0.2, 2.0)
    downsample: Literal["bicubic", "subsample"] = Field(default="bicubic", serialization_alias="then")

    @property
    def reach(self) -> int:
        """HR pixels that the widest Gaussian is computed for: three sigmas, beyond which lies 0.3% of its weight."""
        return math.ceil(3 * self.sigma[1])

    def margin(self, scale: int) -> int:
        """Return the LR pixels that the blur and what follows it reach."""
        return -(-self.reach // scale) + (Bicubic().margin(scale) if self.downsample == "bicubic" else 0)

    def degrade(self, hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """See `Degradation.degrade`."""
        hr = hr.float() / 255
        low, high = self.sigma
        sigma = low + (high - low) * torch.rand(len(hr), generator=generator, device=hr.device)
        kernels = blur.gaussian(sigma, sigma, torch.zeros_like(sigma), 2 * self.reach + 1)
        codes = exact(hr) * 255
        codes = to_codes(blur.filtered(codes, kernels.to(codes)))
        if self.downsample == "bicubic":
            return bicubic(codes.to(hr), scale)
        return (codes[..., scale // 2 :: scale, scale // 2 :: scale] / 255).to(hr)
