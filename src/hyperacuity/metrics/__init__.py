"""Metrics: the distance of an image or a video from its ground truth.

Each metric is one file here, which holds the function on arrays and a `Metric` record, and one line of `METRICS`, which
`evaluate` and the command line follow. `protocols` says what papers compare (luma or RGB, which luma, which rounding);
`selection` picks metrics by name.

The field reports PSNR and SSIM on the luma of BT.601 in studio range, on 0..255, rounded to 8 bits, with `scale` pixels
cut from each border. The functions have no such defaults: callers pass border and peak, and choose the channels
(`colour.luma`).
"""

from __future__ import annotations

from hyperacuity.metrics.flicker import FLICKER, flicker
from hyperacuity.metrics.invention import HALLUCINATION, IMPROVEMENT, OMISSION, invention
from hyperacuity.metrics.lpips import LPIPS_METRIC
from hyperacuity.metrics.lr_psnr import LR_PSNR
from hyperacuity.metrics.metric import ComparedImages, Metric
from hyperacuity.metrics.ms_ssim import MS_SSIM, ms_ssim
from hyperacuity.metrics.psnr import PSNR, psnr
from hyperacuity.metrics.ssim import SSIM, SSIM_SHORTEST_SIDE, ssim

_ALL = (PSNR, SSIM, MS_SSIM, LR_PSNR, LPIPS_METRIC, FLICKER, HALLUCINATION, OMISSION, IMPROVEMENT)
METRICS = {metric.name: metric for metric in _ALL}

# The metrics to measure unless the user names others.
DEFAULT_METRICS = (PSNR.name, SSIM.name, LR_PSNR.name)
DEFAULT_VIDEO_METRICS = (*DEFAULT_METRICS, FLICKER.name)

__all__ = [
    "DEFAULT_METRICS",
    "DEFAULT_VIDEO_METRICS",
    "METRICS",
    "SSIM_SHORTEST_SIDE",
    "ComparedImages",
    "Metric",
    "flicker",
    "invention",
    "ms_ssim",
    "psnr",
    "ssim",
]
