"""Time of the whole pipeline, array in and array out, and the network's share of it.

    python benchmarks/speed.py

Medians over interleaved rounds in one process; the network's time is measured inside the pipeline, tile by tile.
Writes results/speed.csv.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import record

from hyperacuity import engines, zoo
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, Stage

MODEL = "acute-50k-x2"
MEGAPIXELS = [0.1, 0.5, 1, 2, 4, 8, 24, 50]  # of the result
ROUNDS = 5


class Timed:
    """An engine that counts the seconds it runs; all else is the engine's own."""

    def __init__(self, engine: engines.Engine) -> None:
        self._engine, self.seconds = engine, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, batch: engines.Batch) -> engines.Batch:
        start = time.perf_counter()
        try:
            return self._engine.run(batch)
        finally:
            self.seconds += time.perf_counter() - start


def main() -> None:
    engine: Any = Timed(engines.open(zoo.members(MODEL)[0], engine="onnxruntime"))
    pipeline = Pipeline([Stage(engine, MODEL)])
    images = []
    for megapixels in MEGAPIXELS:
        height = round((megapixels / 4 * 1e6 * 3 / 4) ** 0.5)
        pixels = np.random.default_rng(0).integers(0, 255, (height, height * 4 // 3, 3), np.uint8)
        images.append(Image.of(pixels))
    whole: list[list[float]] = [[] for _ in images]
    network: list[list[float]] = [[] for _ in images]
    for _ in range(ROUNDS + 1):
        for n, image in enumerate(images):
            engine.seconds, start = 0.0, time.perf_counter()
            pipeline.stream(image, 2 * image.header.height, 2 * image.header.width).gather()
            whole[n].append(time.perf_counter() - start)
            network[n].append(engine.seconds)
    rows = []
    for n, megapixels in enumerate(MEGAPIXELS):
        seconds = statistics.median(whole[n][1:])
        share = statistics.median(a / b for a, b in zip(network[n][1:], whole[n][1:], strict=True))
        rows.append(
            {
                "model": MODEL,
                "output_megapixels": megapixels,
                "seconds": round(seconds, 4),
                "megapixels_per_second": round(megapixels / seconds, 2),
                "network_share": round(share, 3),
            }
        )
    record.save("speed", rows)


if __name__ == "__main__":
    main()
