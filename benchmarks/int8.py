"""Do models lose too much, or gain enough, in 8 bits? Quantised as `hyperacuity quantise` does, beside float32.

    python benchmarks/int8.py ../shared/data/train/photos ../shared/data/validation/Kodak24

Calibrated on the first folder, measured on the second: PSNR on luma of 8 bits, LR by MATLAB's bicubic, border = scale;
the time of the network alone, in turns. Writes results/int8.csv. A model is shipped in 8 bits that loses less than
0.1 dB and gains 1.3 times.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import record

from hyperacuity import datasets, quantisation, zoo


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
            quantisation.write(zoo.open_file(own), photos)
            result = quantisation.compare(zoo.open_file(own), kodak)
        row: dict[str, Any] = {"model": name, "times_faster": round(result.faster, 2)}
        row |= {"fp32_kodak24_db": round(result.fp32, 3), "int8_kodak24_db": round(result.int8, 3)}
        rows.append(row)
    record.save("int8", rows)


if __name__ == "__main__":
    main()
