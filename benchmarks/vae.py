"""Quality of the samples of the VAE: twenty of each image of Kodak24, x2, on luma.

    python benchmarks/vae.py runs/vae-x2/vae-x2.safetensors
    python benchmarks/vae.py runs/vae-x2/vae-x2.safetensors ../shared/data/benchmarks/Set5    into results/vae_set5.csv

PSNR of the image without z (the limit of the mean of many samples), of single samples, and of the mean of twenty; the
spread of the samples, and its correlation with the absolute error of their mean, over all pixels and averaged over
8 x 8 pixels; and the PSNR of each downscaled sample against LR. Writes results/vae.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import record
import torch

from hyperacuity.metrics import psnr
from hyperacuity.resize import resize
from hyperacuity.train import start
from hyperacuity.train.degrade import Bicubic
from hyperacuity.train.images import find_test_set
from hyperacuity.train.validation import held_out

SAMPLES = 20
KODAK = Path(__file__).parents[2] / "shared/data/validation/Kodak24"


def pooled(x: np.ndarray, side: int = 8) -> np.ndarray:
    """Returns the means of squares."""
    height, width = (length // side * side for length in x.shape)
    means: np.ndarray = x[:height, :width].reshape(height // side, side, width // side, side).mean((1, 3))
    return means


def main() -> None:
    network = start.open_network(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else KODAK
    scale: int = network.scale  # type: ignore[assignment]  # of a network
    rows: dict[str, dict[str, float]] = {}
    for picture in held_out(find_test_set(folder), scale, 1, Bicubic()):
        x = torch.from_numpy(picture.lr.astype(np.float32)).permute(2, 0, 1)[None] / 255
        truth = picture.hr[..., 0].astype(np.float64)
        generator = torch.Generator().manual_seed(0)
        with torch.inference_mode():
            fixed = network(x)
            drawn = [network.sample(x, generator)[0, 0] * 255 for _ in range(SAMPLES)]  # type: ignore[operator]  # has it
        samples = torch.stack(drawn).double().numpy()
        mean, spread = samples.mean(0), samples.std(0)
        error = np.abs(mean - truth)
        small = picture.lr[..., 0].astype(np.float64)
        size = small.shape

        def quality(result: np.ndarray, truth: np.ndarray = truth) -> float:
            return psnr(np.clip(np.round(result), 0, 255), truth, border=scale, peak=255)

        again = [psnr(resize(sample, size=size), small, border=0, peak=255) for sample in samples]
        rows[picture.name] = {
            "picture_psnr": quality(fixed[0, 0].double().numpy() * 255),
            "sample_psnr": float(np.mean([quality(sample) for sample in samples])),
            "mean_psnr": quality(mean),
            "spread_in_codes": float(spread.mean()),
            "correlation": float(np.corrcoef(spread.ravel(), error.ravel())[0, 1]),
            "correlation_8x8": float(np.corrcoef(pooled(spread).ravel(), pooled(error).ravel())[0, 1]),
            "lr_psnr_of_the_worst_sample": min(again),
        }
    names = next(iter(rows.values()))
    rows["mean"] = {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
    record.save(
        "vae" if folder == KODAK else f"vae_{folder.name.lower()}",
        [{"picture": picture, **{k: round(v, 4) for k, v in row.items()}} for picture, row in rows.items()],
    )


if __name__ == "__main__":
    main()
