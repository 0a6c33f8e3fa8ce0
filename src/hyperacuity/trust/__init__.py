"""How far a result can be believed: its consistency with the input, and the errors to expect.

calibration     factors that make the promise of an error map hold for a model
colours         an error map as a colour image with a legend
consistency     LR-PSNR: how near the reduction of a result is to its input
error_network   for each pixel the error that it stays below with a probability of 90 %
luma            the luma of streams of rows, on disk
moments         the mean and the spread of several results
projection      the degradation and its inverse: the nearest image whose reduction equals the input
reduced         a small copy of an image for reports
spread          error maps from the spread of several results
summary         the share of pixels by expected error
"""

from __future__ import annotations

from hyperacuity.trust.calibration import Calibration, find_calibration
from hyperacuity.trust.colours import coloured, coloured_rows, legend
from hyperacuity.trust.consistency import (
    CONSISTENT,
    DEPARTING,
    ConsistencyMeter,
    ConsistencyWarning,
    lowest_lr_psnr,
    warn_of_departure,
)
from hyperacuity.trust.error_network import SCALES, compute_error_map, error_rows, find_scale, scale_of
from hyperacuity.trust.luma import LumaSpool, luma_levels
from hyperacuity.trust.moments import Moments
from hyperacuity.trust.projection import AxisProjection, axis_projection, damping_of
from hyperacuity.trust.reduced import SIDE, ReducedImage, ReducedImages
from hyperacuity.trust.spread import SOURCES, smoothed_spread
from hyperacuity.trust.summary import ErrorShares

__all__ = [
    "CONSISTENT",
    "DEPARTING",
    "SCALES",
    "SIDE",
    "SOURCES",
    "AxisProjection",
    "Calibration",
    "ConsistencyMeter",
    "ConsistencyWarning",
    "ErrorShares",
    "LumaSpool",
    "Moments",
    "ReducedImage",
    "ReducedImages",
    "axis_projection",
    "coloured",
    "coloured_rows",
    "compute_error_map",
    "damping_of",
    "error_rows",
    "find_calibration",
    "find_scale",
    "legend",
    "lowest_lr_psnr",
    "luma_levels",
    "scale_of",
    "smoothed_spread",
    "warn_of_departure",
]
