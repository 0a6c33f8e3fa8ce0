"""Quality and diversity of the samples of the VAE, by the protocol of NTIRE's challenge on the SR space.

    python benchmarks/vae.py                                                into results/vae.csv: Kodak24, x2, x3 and x4
    python benchmarks/vae.py ../shared/data/benchmarks/Set14 --models vae-x4

Ten samples of each image, as `hyperacuity upscale -n vae --samples 10` draws them: 8-bit RGB, in ONNX Runtime.

PSNR on luma of the model's own image, of single samples, and of the mean of ten; LPIPS (SqueezeNet) of single samples;
the spread of the samples, and its correlation with the absolute error of their mean, over all pixels and averaged over
8 x 8 pixels; LR-PSNR of the worst sample, which should be 45 dB or more; and the score of diversity: how much nearer to
the truth the best sample of each place is than the best sample of the image, in percent of the latter. It is 0 if all
samples are alike. Places are squares of 64 pixels, where the challenge takes a map of LPIPS.

Source: Lugmayr et al.: "NTIRE 2021 Learning the Super-Resolution Space Challenge", CVPR Workshops 2021, section 2.3.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import PIL.Image
import record
import torch

import hyperacuity
from hyperacuity.image import Image
from hyperacuity.metrics import psnr
from hyperacuity.networks.perceptual import LPIPS
from hyperacuity.resize import resize
from hyperacuity.trust import luma_levels

SAMPLES, SIDE, PLACE = 10, 384, 64
SHARED = Path(__file__).parents[2] / "shared"
KODAK = SHARED / "data/validation/Kodak24"


def pooled(x: np.ndarray, side: int = 8) -> np.ndarray:
    """Returns the means of squares."""
    height, width = (length // side * side for length in x.shape)
    means: np.ndarray = x[:height, :width].reshape(height // side, side, width // side, side).mean((1, 3))
    return means


def luma(pixels: np.ndarray) -> np.ndarray:
    """Returns grey levels of 8-bit pixels."""
    return luma_levels(pixels, Image.from_pixels(pixels).header).astype(np.float64)


def batch(pixels: np.ndarray) -> torch.Tensor:
    """Returns (H, W, 3) as squares (N, 3, PLACE, PLACE) in [0, 1]."""
    rows, columns = (side // PLACE for side in pixels.shape[:2])
    cut = torch.from_numpy(pixels[: rows * PLACE, : columns * PLACE].astype(np.float32) / 255)
    return cut.reshape(rows, PLACE, columns, PLACE, 3).permute(0, 2, 4, 1, 3).reshape(-1, 3, PLACE, PLACE)


def measure(upscaler: hyperacuity.Upscaler, truth: np.ndarray, scale: int, lpips: LPIPS) -> dict[str, float]:
    """Returns the measurements of one image."""
    size = truth.shape[0] // scale, truth.shape[1] // scale
    lr = resize(truth, size=size)
    samples = upscaler.samples(lr, scale, SAMPLES, seed=1)
    levels, wanted = np.stack([luma(sample) for sample in samples]), luma(truth)
    mean, spread = levels.mean(0), levels.std(0, ddof=1)
    error = np.abs(mean - wanted)
    with torch.inference_mode():
        places = np.stack([lpips(batch(sample), batch(truth)).numpy() for sample in samples])
    best = places.mean(1).min()

    def quality(result: np.ndarray) -> float:
        return psnr(result, wanted, border=scale, peak=255)

    again = [psnr(resize(sample, size=size), lr, border=0, peak=255) for sample in samples]
    return {
        "picture_psnr": quality(luma(upscaler.array(lr, scale))),
        "sample_psnr": float(np.mean([quality(each) for each in levels])),
        "mean_psnr": quality(mean),
        "sample_lpips": float(places.mean()),
        "picture_lpips": float(lpips(batch(upscaler.array(lr, scale)), batch(truth)).mean()),
        "diversity": float(100 * (best - places.min(0).mean()) / best),
        "lr_psnr_of_the_worst_sample": min(again),
        "spread_in_codes": float(spread.mean()),
        "correlation": float(np.corrcoef(spread.ravel(), error.ravel())[0, 1]),
        "correlation_8x8": float(np.corrcoef(pooled(spread).ravel(), pooled(error).ravel())[0, 1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=KODAK)
    parser.add_argument("--models", nargs="+", default=["vae-x2", "vae-x3", "vae-x4"])
    parser.add_argument("--count", type=int, default=24, help="Images.")
    options = parser.parse_args()
    weights = SHARED / "weights"
    lpips = LPIPS.from_files(weights / "squeezenet1_1.safetensors", weights / "lpips_squeeze_linear.pth")
    files = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in (".png", ".bmp"))
    files = files[:: max(1, len(files) // options.count)]
    rows = []
    for model in options.models:
        upscaler = hyperacuity.load(model)
        scale = upscaler.family[0].card.network_scale
        found = {}
        for file in files:
            truth = np.asarray(PIL.Image.open(file).convert("RGB"))
            top, left = (max(0, side - SIDE) // 2 for side in truth.shape[:2])
            height, width = (min(SIDE, side) // scale * scale for side in truth.shape[:2])
            found[file.stem] = measure(upscaler, truth[top : top + height, left : left + width], scale, lpips)
        names = next(iter(found.values()))
        found["mean"] = {name: float(np.mean([row[name] for row in found.values()])) for name in names}
        for picture, row in found.items():
            rows.append({"model": model, "picture": picture, **{name: round(v, 4) for name, v in row.items()}})
        print(rows[-1], flush=True)
    name = "vae" if options.folder == KODAK else f"vae_{options.folder.name.lower()}"
    record.save(name, rows, key="model")


if __name__ == "__main__":
    main()
