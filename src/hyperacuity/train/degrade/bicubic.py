"""MATLAB's bicubic alone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hyperacuity.train.degrade.degradation import Degradation
from hyperacuity.train.degrade.operations.resampling import bicubic


class Bicubic(Degradation):
    """MATLAB's `imresize` on 8 bits, as in nearly all papers."""

    kind: Literal["bicubic"] = "bicubic"

    def margin(self, scale: int) -> int:
        """Return the two LR pixels that the kernel reaches."""
        return 2

    def degrade(self, hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """See `Degradation.degrade`."""
        return bicubic(hr, scale)
