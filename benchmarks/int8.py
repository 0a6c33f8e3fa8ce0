"""What models lose in quality and gain in speed with 8 bits, quantised as `hyperacuity quantise` does.

    python benchmarks/int8.py ../shared/data/train/photos ../shared/data/validation/Kodak24

Calibration is on the first folder, measurement on the second: PSNR of the 8-bit result on luma, LR by MATLAB's bicubic,
border = scale; and the time of the network without the pipeline, on one core, for a tile of the size that the pipeline
cuts, with float32 and 8 bits in turns. Writes results/int8.csv. A model is shipped in 8 bits if it loses less than
0.1 dB and is at least 1.3 times as fast.
"""

from __future__ import annotations

import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import record

from hyperacuity import datasets, engines, quantise, zoo
from hyperacuity.engines.timing import run_alternately

TILE = (142, 1024)
ROUNDS = 20


def times(model: zoo.Model) -> dict[str, list[float]]:
    """Returns the seconds of each round in float32 and in 8 bits."""
    per_core: dict[str, Any] = {}
    for kind in ("fp32", "int8"):
        per_core[kind] = engines.open(model, engine="onnxruntime", device="cpu", precision=kind).per_core()
    batch = np.random.default_rng(0).random((1, model.card.channel_count, *TILE), np.float32)
    taken = run_alternately(per_core, batch, ROUNDS + 1, math.inf)
    return {kind: seconds[1:] for kind, seconds in taken.items()}


def main() -> None:
    photos, kodak = (datasets.files([Path(folder)]) for folder in sys.argv[1:3])
    rows = []
    for name, model in zoo.models().items():
        if model.safetensors is None or model.onnx is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for path in (model.safetensors, model.onnx):
                shutil.copy(path, folder)
            own = Path(folder, model.safetensors.name)
            quantise.write_int8(zoo.open_model(own), photos)
            quantised = zoo.open_model(own)
            result, taken = quantise.compare(quantised, kodak), times(quantised)
        row: dict[str, Any] = {"model": name}
        row |= {f"{kind}_ms": round(1e3 * statistics.median(seconds), 1) for kind, seconds in taken.items()}
        faster = statistics.median(a / b for a, b in zip(taken["fp32"], taken["int8"], strict=True))
        row |= {"times_faster": round(faster, 2)}
        row |= {"fp32_kodak24_db": round(result.fp32, 3), "int8_kodak24_db": round(result.int8, 3)}
        rows.append(row)
    record.save("int8", rows)


if __name__ == "__main__":
    main()
