"""Do models lose too much, or gain enough, in 8 bits? Static quantisation by ONNX Runtime beside float32.

    python benchmarks/int8.py ../shared/data/train/photos ../shared/data/Kodak24

Calibrated on 32 photos, each channel's weights with a scale of its own; the first and the last convolution stay in
float32. PSNR on luma of 8 bits, LR by MATLAB's bicubic, border = scale. Writes results/int8.csv. A model would be
shipped in 8 bits that loses less than 0.1 dB and gains 1.3 times.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import record
from onnxruntime import quantization

from hyperacuity import colour, formats, metrics, resize, zoo

MODELS = ["fsrcnn-x2", "acute-50k-x2"]
PHOTOS = 32
CROP = 96
SHAPE = (540, 960)
ROUNDS = 7


def luma(path: Path) -> Any:
    with formats.read(path) as source:
        image = next(iter(source))
    return colour.luma8(image.pixels[..., :3])


class Crops(quantization.CalibrationDataReader):  # type: ignore[misc]
    """The middles of some photos, made small."""

    def __init__(self, folder: Path, scale: int) -> None:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        self.left: Iterator[Any] = (self.crop(path, scale) for path in paths[:: max(1, len(paths) // PHOTOS)][:PHOTOS])

    def crop(self, path: Path, scale: int) -> dict[str, Any]:
        small = resize.resize(luma(path), scale=1 / scale)
        top, left = ((side - CROP) // 2 for side in small.shape)
        return {"input": batch(small[top : top + CROP, left : left + CROP])}

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)


def batch(codes: Any) -> Any:
    return (codes.astype(np.float32) / 255)[None, None]


def session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def psnr(run: Any, folder: Path, scale: int) -> float:
    values = []
    for path in sorted(folder.iterdir()):
        high = luma(path)
        answer = run.run(None, {"input": batch(resize.resize(high, scale=1 / scale))})[0][0, 0]
        codes = np.floor(np.clip(answer, 0, 1) * 255 + 0.5).astype(np.uint8)
        values.append(metrics.psnr(codes, high, border=scale, peak=255))
    return statistics.mean(values)


def main() -> None:
    photos, kodak = map(Path, sys.argv[1:3])
    rows = []
    for name in MODELS:
        model = zoo.members(name)[0]
        assert model.onnx is not None
        layers = [n.name for n in onnx.load(model.onnx).graph.node if n.op_type in ("Conv", "ConvTranspose")]
        with tempfile.TemporaryDirectory() as folder:
            small = Path(folder, "int8.onnx")
            quantization.quantize_static(
                model.onnx,
                small,
                Crops(photos, model.card.network_scale),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=[layers[0], layers[-1]],
            )
            runs = {"fp32": session(model.onnx), "int8": session(small)}
        picture = np.random.default_rng(0).random((1, 1, *SHAPE), np.float32)
        taken: dict[str, list[float]] = {kind: [] for kind in runs}
        for _ in range(ROUNDS + 1):
            for kind, run in runs.items():
                start = time.perf_counter()
                run.run(None, {"input": picture})
                taken[kind].append(time.perf_counter() - start)
        faster = statistics.median(a / b for a, b in zip(taken["fp32"][1:], taken["int8"][1:], strict=True))
        quality = {kind: psnr(run, kodak, model.card.network_scale) for kind, run in runs.items()}
        rows.append(
            {
                "model": name,
                "fp32_ms": round(1e3 * statistics.median(taken["fp32"][1:]), 1),
                "int8_ms": round(1e3 * statistics.median(taken["int8"][1:]), 1),
                "times_faster": round(faster, 2),
                "fp32_kodak24_db": round(quality["fp32"], 3),
                "int8_kodak24_db": round(quality["int8"], 3),
            }
        )
    record.save("int8", rows)


if __name__ == "__main__":
    main()
