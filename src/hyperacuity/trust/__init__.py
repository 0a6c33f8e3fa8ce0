"""How far a result can be believed: its consistency with the input.

consistency   LR-PSNR: how near the reduction of a result is to its input
projection    the degradation and its inverse: the nearest image whose reduction equals the input
"""

from __future__ import annotations

from hyperacuity.trust.consistency import (
    ConsistencyMeter,
    ConsistencyWarning,
    lowest_lr_psnr,
    warn_of_departure,
)
from hyperacuity.trust.projection import AxisProjection, axis_projection, damping_of

__all__ = [
    "AxisProjection",
    "ConsistencyMeter",
    "ConsistencyWarning",
    "axis_projection",
    "damping_of",
    "lowest_lr_psnr",
    "warn_of_departure",
]
