"""How fast each model of the zoo is: from 8-bit RGB to 8-bit RGB of about 2 megapixels, in ONNX Runtime.

    python benchmarks/zoo.py             # every model
    python benchmarks/zoo.py vdsr        # these; the rows of others stay

Writes src/hyperacuity/zoo/speed.csv, which `hyperacuity models` shows. The models take turns, so that other programs
slow all of them alike.
"""

from __future__ import annotations

import argparse
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of models")
    names = parser.parse_args().names or list(zoo.models())
    upscalers = {name: load(name, engine="onnxruntime", device="cpu") for name in names}
    cards = {name: zoo.models()[name].card for name in names}
    scales = {name: card.enlarged[0] if card.enlarged else card.scale or 2 for name, card in cards.items()}
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
    path = Path(zoo.FOLDER, "speed.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    for name, times in taken.items():
        speed = f"{megapixels / statistics.median(times):.2f}"
        rows[name] = {"model": name, "megapixels_per_second": speed, "machine": machine}
        print(name, speed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["model", "megapixels_per_second", "machine"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in zoo.models())


if __name__ == "__main__":
    main()
