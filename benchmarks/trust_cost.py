"""How much processor time LR-PSNR and the error map add to enlarging an image of noise in memory.

    python benchmarks/trust_cost.py

The best of several rounds. Writes results/trust_cost.csv.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import record

import hyperacuity
from hyperacuity import Upscaler
from hyperacuity.error_maps import ErrorMeter
from hyperacuity.image import Image
from hyperacuity.trust import ConsistencyMeter, find_calibration

MODELS = ("bicubic", "acute-10k", "acute-50k", "acute-100k", "photo")
CASES = ("plain", "lr_psnr", "error_map")


def seconds(upscaler: Upscaler, image: Image, scale: int, case: str) -> float:
    """Returns the processor time of one result, with what the case adds."""
    size = image.header.height * scale, image.header.width * scale
    start = time.process_time()
    if case == "error_map":
        with ErrorMeter(image.header, *size) as meter:
            for _rows in upscaler.stream(image, scale, meter).rows:
                pass
            for _rows in meter.errors(find_calibration("any", scale)):
                pass
    else:
        measured = ConsistencyMeter(image.header, *size) if case == "lr_psnr" else None
        for _rows in upscaler.stream(image, scale, measured).rows:
            pass
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 800), help="Of the input.")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    image = Image.from_pixels(np.random.default_rng(0).integers(0, 256, (*options.size, 3), np.uint8))
    rows: list[dict[str, object]] = []
    for model in MODELS:
        upscaler = hyperacuity.load(model)
        scale = upscaler.family[0].card.scale or 2
        taken = {case: min(seconds(upscaler, image, scale, case) for _ in range(options.rounds)) for case in CASES}
        row: dict[str, object] = {"model": model, "scale": scale}
        row |= {f"{case}_seconds": round(value, 3) for case, value in taken.items()}
        row |= {f"more_for_{case}": round(taken[case] / taken["plain"] - 1, 3) for case in CASES[1:]}
        rows.append(row)
        print(row, flush=True)
    record.save("trust_cost", rows)


if __name__ == "__main__":
    main()
