"""How LR comes of HR while a network learns: MATLAB's bicubic, a blur before it, or a chain like that of real photos.

Batches on any device; all that is random comes from the generator that is given.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from hyperacuity.train.degrade import blur
from hyperacuity.train.degrade.chain import Chain, degraded, sharpened
from hyperacuity.train.degrade.resampling import bicubic, enlarge, shrink, to_codes

__all__ = ["Bicubic", "BlurBicubic", "Chain", "bicubic", "degrade", "enlarge", "shrink", "truth"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bicubic(_Record):
    """MATLAB's `imresize` on 8 bits, as nearly all papers have it."""

    kind: Literal["bicubic"] = "bicubic"

    def margin(self, scale: int) -> int:
        """LR pixels around a patch that its border falsifies."""
        return 2


class BlurBicubic(_Record):
    """A Gaussian of a random sigma, in HR pixels, before the LR is taken: by bicubic, or every `scale`-th pixel as in
    ESPCN (arXiv 1609.05158, section 3.2).
    """

    kind: Literal["blur-bicubic"] = "blur-bicubic"
    sigma: tuple[float, float] = Field(default=(0.2, 2.0))
    then: Literal["bicubic", "subsample"] = "bicubic"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError("sigma: give the least and the greatest, both above 0")
        return self

    def margin(self, scale: int) -> int:
        """LR pixels around a patch that its border falsifies."""
        return 2 * (self.then == "bicubic") + -(-blur.reach(self.sigma[1]) // scale)


def degrade(hr: Tensor, scale: int, how: Bicubic | BlurBicubic | Chain, generator: torch.Generator) -> Tensor:
    """(N, C, H, W) in [0, 1], of 8-bit codes over 255 -> (N, C, H / scale, W / scale) of such; sides divide by `scale`.

    generator: on the device of `hr`; in the same state it gives the same LR.
    """
    if isinstance(how, Bicubic):
        return bicubic(hr, scale)
    if isinstance(how, Chain):
        return degraded(hr, scale, how, generator)
    low, high = how.sigma
    sigma = low + (high - low) * torch.rand(len(hr), generator=generator, device=hr.device)
    blurred = blur.filtered(hr, blur.gaussian(sigma, sigma, torch.zeros_like(sigma), 2 * blur.reach(high) + 1))
    blurred = to_codes(blurred * 255) / 255
    if how.then == "bicubic":
        return bicubic(blurred, scale)
    return blurred[..., scale // 2 :: scale, scale // 2 :: scale]


def truth(hr: Tensor, how: Bicubic | BlurBicubic | Chain) -> Tensor:
    """What the network's answer is compared with: HR itself, or sharpened where the chain says so."""
    return sharpened(hr) if isinstance(how, Chain) and how.sharpen_truth else hr
