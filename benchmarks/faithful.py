"""What consistency with the input costs and gains: processor time, PSNR on luma and LR-PSNR, for models and sets.

    python benchmarks/faithful.py ../shared/data/benchmarks/Set14 ../shared/data/validation/Kodak24

Each image is reduced by MATLAB's bicubic, clean or as a JPEG file of quality 90, and enlarged with `faithful` 0, 1 and
for JPEG 0.5. Time is that of the process, all cores together, for an input of 0.5 megapixels, the least of three runs,
and includes the measurement of LR-PSNR, which is always made. Writes results/faithful.csv.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
import PIL.Image
import record

import hyperacuity
from hyperacuity import zoo
from hyperacuity.image import Image
from hyperacuity.metrics import psnr
from hyperacuity.resize import resize
from hyperacuity.trust import ConsistencyMeter, luma_levels

MODELS = ("bicubic", "lanczos", "fsrcnn", "acute-10k", "acute-50k", "acute-100k", "photo")
SIDE = 384


def jpeg(pixels: np.ndarray) -> np.ndarray:
    """Returns the pixels after a JPEG file of quality 90."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return np.asarray(PIL.Image.open(file))


def quality(model: str, files: list[Path], scale: int, faithful: float, *, dirty: bool) -> tuple[float, float]:
    """Returns the mean PSNR against the truth and LR-PSNR against the input."""
    upscaler, found = hyperacuity.load(model, faithful=faithful), []
    for file in files:
        truth = np.asarray(PIL.Image.open(file).convert("RGB"))[:SIDE, :SIDE]
        truth = truth[: len(truth) // scale * scale, : truth.shape[1] // scale * scale]
        lr = resize(truth, size=(truth.shape[0] // scale, truth.shape[1] // scale))
        image = Image.from_pixels(jpeg(lr) if dirty else lr)
        meter = ConsistencyMeter(image.header, *truth.shape[:2])
        result = upscaler.stream(image, scale, meter).gather().pixels
        planes = [luma_levels(each, image.header).astype(np.float64) for each in (result, truth)]
        found.append((psnr(*planes, border=scale, peak=255), min(100.0, meter.lr_psnr)))
    mean = np.mean(found, 0)
    return float(mean[0]), float(mean[1])


def seconds(model: str, scale: int, faithful: float, size: tuple[int, int]) -> float:
    """Returns the processor time of enlarging noise of a size."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    upscaler, taken = hyperacuity.load(model, faithful=faithful), []
    for _ in range(3):
        image = Image.from_pixels(pixels)
        start = time.process_time()
        for _rows in upscaler.stream(
            image, scale, ConsistencyMeter(image.header, size[0] * scale, size[1] * scale)
        ).rows:
            pass
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=12, help="Images of each set.")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 800))
    options = parser.parse_args()
    rows = []
    for model in MODELS:
        scales = [found.card.scale for found in zoo.find_models(model) if found.card.scale is not None] or [2, 4]
        for scale in sorted({scales[0], scales[-1]}):
            plain = seconds(model, scale, 0, options.size)
            cost = seconds(model, scale, 1, options.size) / plain - 1
            for folder in options.sets:
                files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".bmp"))
                files = files[:: max(1, len(files) // options.count)]
                row: dict[str, object] = {"model": model, "scale": scale, "set": folder.name, "images": len(files)}
                row |= {"seconds": round(plain, 2), "more_time": round(cost, 3)}
                for dirty, values in ((False, (0, 1)), (True, (0, 0.5, 1))):
                    for faithful in values:
                        found = quality(model, files, scale, faithful, dirty=dirty)
                        name = f"{'jpeg90' if dirty else 'clean'}_{faithful:g}"
                        row |= {f"{name}_psnr": round(found[0], 3), f"{name}_lr_psnr": round(found[1], 1)}
                print(row, flush=True)
                rows.append(row)
    record.save("faithful", rows)


if __name__ == "__main__":
    main()
