"""Losses, one file each: how far a result is from the truth, as a number with gradients. A recipe weighs them.

To add one, write its file and add its line to `LOSSES`: a function of (sr, hr, lr), which a recipe asks for by its
weight, or a `LossSettings` if it needs more than that. Recipes, their schema and the trainer then know it.
"""

from __future__ import annotations

from typing import Any

from hyperacuity.train.losses.charbonnier import charbonnier
from hyperacuity.train.losses.consistency import consistency
from hyperacuity.train.losses.criterion import Criterion, Losses, losses_record
from hyperacuity.train.losses.fft import fft
from hyperacuity.train.losses.flat import flat
from hyperacuity.train.losses.gradient import gradient
from hyperacuity.train.losses.grid import grid
from hyperacuity.train.losses.l1 import l1
from hyperacuity.train.losses.loss import LossFunction, LossSettings
from hyperacuity.train.losses.lpips import Lpips
from hyperacuity.train.losses.mse import mse
from hyperacuity.train.losses.perceptual import Perceptual
from hyperacuity.train.losses.ssim import ssim
from hyperacuity.train.losses.tv import tv

LOSSES: dict[str, LossFunction | type[LossSettings]] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "ssim": ssim,
    "fft": fft,
    "gradient": gradient,
    "flat": flat,
    "grid": grid,
    "tv": tv,
    "consistency": consistency,
    "perceptual": Perceptual,
    "lpips": Lpips,
}


def any_losses() -> Any:
    """Return the type of a recipe's [losses], with a field for each line of the table."""
    return losses_record(LOSSES)


__all__ = [
    "LOSSES",
    "Criterion",
    "LossFunction",
    "LossSettings",
    "Losses",
    "Lpips",
    "Perceptual",
    "any_losses",
    "charbonnier",
    "consistency",
    "fft",
    "flat",
    "gradient",
    "grid",
    "l1",
    "mse",
    "ssim",
    "tv",
]
