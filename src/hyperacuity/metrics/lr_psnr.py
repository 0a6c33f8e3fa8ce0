"""LR-PSNR: whether the result still contains its input."""

from __future__ import annotations

import numpy as np

from hyperacuity.metrics.metric import ComparedImages, Metric
from hyperacuity.metrics.psnr import psnr
from hyperacuity.resize import resize


def _measure(images: ComparedImages) -> float:
    downscaled = resize(images.result.astype(np.float64), size=images.lr.shape[:2])
    return psnr(downscaled, images.lr, border=0, peak=255)


LR_PSNR = Metric(
    "lr-psnr",
    "LR-PSNR",
    higher_is_better=True,
    digits=1,
    measure=_measure,
    unit="dB",
    statement=(
        "PSNR of the result, downscaled again by MATLAB's bicubic, against the input; at 45 dB or more, none of the "
        "input was lost"
    ),
    cuts_border=False,
)
