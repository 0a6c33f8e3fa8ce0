"""Time of plain 3x3 networks by channels and layers: which shape of Acute gives most parameters per millisecond.

    python benchmarks/shapes.py

The network without the pipeline, random weights, 960x540 luma to 1920x1080, in each engine; medians over interleaved
rounds. The last column has the multiply-adds per second of the fastest engine. Writes results/shapes.csv.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import record
from torch import nn

from hyperacuity import engines, export, zoo
from hyperacuity.networks.acute import Acute, AcuteConfig
from hyperacuity.zoo import Card

SHAPES = [(8, 4), (12, 4), (16, 4), (16, 8), (24, 4), (28, 5), (32, 3), (32, 5), (48, 4), (48, 9), (64, 5)]
PRELU = [(16, 4), (32, 5)]  # measured with PReLU in place of ReLU as well
HEIGHT, WIDTH = 540, 960
STRIP = 60  # rows at a time, for the column that shows the gain of strips that stay in the cache
ENGINES = ["onnxruntime", "openvino", "ncnn", "pytorch"]
ROUNDS = 3


def with_prelu(network: Acute) -> Acute:
    """Replace the ReLU of a network by PReLU."""
    network.relu = nn.PReLU(network.config.features)  # type: ignore[assignment]  # one slope for a channel, for all layers
    return network


def main() -> None:
    rows = []
    picture = np.random.default_rng(0).random((1, 1, HEIGHT, WIDTH), np.float32)
    strips = [np.ascontiguousarray(picture[:, :, top : top + STRIP]) for top in range(0, HEIGHT, STRIP)]
    with tempfile.TemporaryDirectory() as folder:
        for kind, shapes in (("ReLU", SHAPES), ("PReLU", PRELU)):
            for features, layers in shapes:
                config = AcuteConfig(features=features, layers=layers, folded=True)
                network = Acute(config).eval()
                if kind == "PReLU":
                    network = with_prelu(network)
                figures = export.measure_network(network)
                card = Card(f"{kind}-{features}-{layers}", "acute", 2, "Y", "none", "nothing", "none", **figures)
                path = Path(folder, f"{card.name}.onnx")
                export.write_model(network, card, Path(folder))
                names = [name for name in ENGINES if kind == "ReLU" or name != "pytorch"]
                model = zoo.open_model(path)
                # PyTorch builds the network from the config; the other engines do not need it.
                model = zoo.Model(Card(**{**vars(model.card), "config": vars(config)}), model.safetensors, model.onnx)
                opened = {name: engines.open(model, engine=name, device="cpu") for name in names}
                taken: dict[str, list[float]] = {name: [] for name in [*names, "strips"]}
                for _ in range(ROUNDS + 1):
                    for name, times in taken.items():
                        engine = opened.get(name, opened["onnxruntime"])
                        start = time.perf_counter()
                        for batch in strips if name == "strips" else [picture]:
                            engine.run(batch)
                        times.append(time.perf_counter() - start)
                work = figures["multiply_adds"] * HEIGHT * WIDTH
                middle = {name: statistics.median(times[1:]) for name, times in taken.items()}
                fastest = min(middle[name] for name in names)
                row: dict[str, Any] = {"features": features, "layers": layers, "activation": kind}
                row |= {"parameters": figures["parameters"]}
                for name in [*ENGINES, "strips"]:
                    row[f"{name}_ms"] = round(1e3 * middle[name], 1) if name in middle else ""
                rows.append(row | {"gigamacs_per_second": round(work / fastest / 1e9)})
                print(row, flush=True)
    record.save("shapes", rows)


if __name__ == "__main__":
    main()
