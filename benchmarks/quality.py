"""PSNR and SSIM of the shipped models on Set5, Set14 and B100, beside the published figures.

    python benchmarks/quality.py ../shared/data/benchmarks

Writes results/quality.csv. The protocol is the papers': luma of BT.601 in studio range rounded to 8 bits, LR by
MATLAB's bicubic in double precision, the result rounded to 8 bits, `scale` pixels cut from each border.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import record
from numpy.typing import NDArray

from hyperacuity import engines, zoo
from hyperacuity.metrics import psnr, ssim
from hyperacuity.resize import resize
from hyperacuity.train.data import files, luma_of, pair

SCALE = 2
# Dong et al., ECCV 2016, table 3 (FSRCNN); bicubic as in the same tables.
PUBLISHED = {
    ("bicubic", "Set5"): (33.66, 0.9299),
    ("bicubic", "Set14"): (30.24, 0.8688),
    ("bicubic", "B100"): (29.56, 0.8431),
    ("fsrcnn-x2", "Set5"): (37.00, 0.9558),
    ("fsrcnn-x2", "Set14"): (32.63, 0.9088),
    ("fsrcnn-x2", "B100"): (31.53, 0.8920),
}


def enlarge(model: str, lr: NDArray[Any]) -> NDArray[Any]:
    """(H, W) luma on 0..255 at twice the size, rounded to 8 bits."""
    if model == "bicubic":
        result = resize(lr, scale=SCALE)
    else:
        engine = engines.open(zoo.members(model)[0], engine="onnxruntime")
        result = engine.run(lr.astype(np.float32)[None, None] / np.float32(255))[0, 0] * 255
    return np.clip(np.floor(result + 0.5), 0, 255)


def main() -> None:
    rows = []
    for (model, name), (published_psnr, published_ssim) in PUBLISHED.items():
        figures = []
        for path in files([Path(sys.argv[1], name)]):
            held_out = pair(luma_of(path), SCALE, exact=True)
            result = enlarge(model, held_out.lr)
            figures.append([metric(result, held_out.hr, border=SCALE, peak=255) for metric in (psnr, ssim)])
        decibels, similarity = (statistics.mean(column) for column in zip(*figures, strict=True))
        rows.append(
            {
                "model": model,
                "set": name,
                "scale": SCALE,
                "psnr_db": round(decibels, 2),
                "published_psnr_db": published_psnr,
                "ssim": round(similarity, 4),
                "published_ssim": published_ssim,
            }
        )
    record.save("quality", rows)


if __name__ == "__main__":
    main()
