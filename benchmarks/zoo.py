"""How fast each model of the zoo is: from 8-bit RGB to 8-bit RGB of about 2 megapixels, in ONNX Runtime.

    python benchmarks/zoo.py

Writes src/hyperacuity/zoo/speed.csv, which `hyperacuity models` shows. The models take turns, so that other programs
slow all of them alike.
"""

from __future__ import annotations

import csv
import statistics
import time
from pathlib import Path

import numpy as np
import record

from hyperacuity import Size, load, zoo

ROUNDS = 9
RESULT = 1080, 1920


def main() -> None:
    names = list(zoo.models())
    upscalers = {name: load(name, engine="onnxruntime", device="cpu") for name in names}
    scales = {name: zoo.models()[name].card.scale or 2 for name in names}
    shapes = {name: (RESULT[0] // scales[name], RESULT[1] // scales[name], 3) for name in names}
    images = {name: np.random.default_rng(0).integers(0, 256, shapes[name], np.uint8) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for count in range(ROUNDS + 1):
        for name, upscaler in upscalers.items():
            start = time.perf_counter()
            upscaler.array(images[name], Size(scales[name]))
            if count:  # the first run opens the engine
                taken[name].append(time.perf_counter() - start)
    machine, megapixels = record.machine(), RESULT[0] * RESULT[1] / 1e6
    with Path(zoo.FOLDER, "speed.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "megapixels_per_second", "machine"])
        for name, times in taken.items():
            writer.writerow([name, f"{megapixels / statistics.median(times):.2f}", machine])
            print(name, f"{megapixels / statistics.median(times):.2f}")


if __name__ == "__main__":
    main()
