"""What every kind of degradation is: a record of a recipe that makes LR of HR."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor


class DegradationSettings(BaseModel):
    """Settings of a degradation or of a part of one; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Degradation(DegradationSettings):
    """The base of all kinds. A kind adds `kind: Literal["its-name"] = "its-name"` and its settings as fields."""

    def margin(self, scale: int) -> int:
        """Return how many LR pixels around a patch are affected by its border."""
        raise NotImplementedError

    def degrade(self, hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """Make LR of HR.

        Args:
            hr: (N, C, H, W) uint8; the sides divide by `scale`.
            scale: HR pixels for each LR pixel along a side.
            generator: The source of all that is random, on the device of `hr`; the same state gives the same LR.

        Returns:
            (N, C, H / scale, W / scale) float32 in [0, 1]: 8-bit values over 255.
        """
        raise NotImplementedError

    def truth(self, hr: Tensor, margin: int = 0) -> Tensor:
        """Return what the network's result is compared with: HR itself, unless a kind says otherwise.

        Args:
            hr: (N, C, H, W) uint8.
            margin: HR pixels to cut from each border.

        Returns:
            (N, C, H - 2 margin, W - 2 margin) float32 in [0, 1].
        """
        return inner(hr, margin).float() / 255


def inner(x: Tensor, margin: int) -> Tensor:
    """Return a view without `margin` pixels at each border."""
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]
