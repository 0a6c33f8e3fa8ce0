"""Time of the whole pipeline, array in and array out, beside the network alone in the same engine.

    python benchmarks/speed.py

One process, interleaved, medians; writes results/speed.csv. `share` is the network's part of the whole time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import record

import hyperacuity
from hyperacuity import engines, zoo

MODEL = "fsrcnn-x2"
MEGAPIXELS = [0.1, 0.5, 1, 2, 4, 8]  # of the result
ROUNDS = 7


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    model = zoo.members(MODEL)[0]
    upscaler = hyperacuity.load(MODEL)
    network = engines.open(model, engine="onnxruntime")
    rows = []
    for megapixels in MEGAPIXELS:
        height = round((megapixels / 4 * 1e6 * 3 / 4) ** 0.5)
        pixels = np.random.default_rng(0).integers(0, 255, (height, height * 4 // 3, 3), np.uint8)
        luma = np.random.default_rng(0).random((1, 1, *pixels.shape[:2]), np.float32)
        whole, alone = [], []
        for _ in range(ROUNDS + 1):
            whole.append(timed(upscaler.array, pixels, hyperacuity.Size(2)))
            alone.append(timed(network.run, luma))
        seconds, network_seconds = statistics.median(whole[1:]), statistics.median(alone[1:])
        rows.append(
            {
                "model": MODEL,
                "output_megapixels": megapixels,
                "seconds": round(seconds, 4),
                "network_seconds": round(network_seconds, 4),
                "megapixels_per_second": round(megapixels / seconds, 2),
                "share": round(network_seconds / seconds, 3),
            }
        )
    record.save("speed", rows)


if __name__ == "__main__":
    main()
