"""A model in 8 bits: NAME-int8.onnx next to NAME.onnx, calibrated on images (Jacob et al., arXiv 1712.05877).

Static quantisation by ONNX Runtime: the weights of a convolution have a scale for each channel, activations one for
each layer, which clips the 0.01 % of values that are farthest out (on Kodak24 with Acute 50k this loses 0.06 dB, and
0.10 dB without clipping). The first layer stays in float32, since it needs the exact values of the image. Needs onnx.
"""

from __future__ import annotations

import contextlib
import io
import logging
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hyperacuity import datasets, engines, metrics
from hyperacuity.engines.timing import run_alternately
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize, round_to
from hyperacuity.zoo import Card, Model, int8_path

# LR pixels a side of the crop from the centre of an image, and how many images are enough.
CROP = 96
IMAGES = 32
_PERCENTILE = 99.99


@dataclass(frozen=True)
class Comparison:
    """PSNR in dB against full resolution, in float32 and in 8 bits; `faster`: how many times faster 8 bits are here."""

    fp32: float
    int8: float
    faster: float


def write_int8(model: Model, images: Sequence[Path]) -> Path:
    """Write the 8-bit form of a model to its folder, completely or not at all.

    Args:
        model: A model with an ONNX file.
        images: Files at full resolution, of the kind that the model is for; up to `IMAGES` of them, evenly spread, are
            used for calibration.

    Returns:
        The path of the new file.

    Raises:
        UsageError: The model has no ONNX file or only one layer, or all images are too small.
    """
    if model.onnx is None:
        raise UsageError(f"{model.card.name} has no ONNX file; there is nothing to quantise")
    batches = [_batch(pair.lr) for path in _some(images, IMAGES) for pair in _pairs(path, model.card, CROP)]

    from onnxruntime import quantization

    graph = onnx.load(model.onnx)
    layers = _layers(graph.graph)
    if not batches:
        raise UsageError(f"all images are smaller than {CROP * _scale(model.card)} pixels a side; choose larger ones")
    if not layers:
        raise UsageError(f"{model.card.name} has no layer after its first; there is nothing to quantise")
    target = int8_path(model.onnx)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=target.name) as folder, _quiet():
        named, made = Path(folder, "named.onnx"), Path(folder, target.name)
        onnx.save(graph, named)
        quantization.quantize_static(
            named,
            made,
            _reader(graph.graph.input[0].name, batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=layers,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": _PERCENTILE},
        )
        made.replace(target)
    return target


def compare(model: Model, images: Sequence[Path]) -> Comparison:
    """Measure what a model's 8-bit form loses and gains.

    PSNR is in the channels that the network works on, of 8-bit outputs, with a border of the scale cut. Time is of the
    network only. Sides that do not fit the network are mirrored.

    Args:
        model: A model with an 8-bit form.
        images: Files at full resolution.

    Raises:
        UsageError: All images are too small, or the model has no 8-bit form.
    """
    kinds: tuple[engines.Precision, ...] = ("fp32", "int8")
    opened: dict[str, engines.Engine] = {}
    for kind in kinds:
        opened[kind] = engines.open(model, engine="onnxruntime", device="cpu", precision=kind)
    values: dict[str, list[float]] = {kind: [] for kind in kinds}
    ratios = []
    for path in images:
        for pair in _pairs(path, model.card):
            height, width = pair.lr.shape[:2]
            batch = engines.pad_to_multiple(_batch(pair.lr), model.card.multiple)
            scale = model.card.network_scale
            for name, engine in opened.items():
                output = engine.run(batch)[0, :, : height * scale, : width * scale]
                codes = round_to(output.transpose(1, 2, 0) * 255, np.dtype(np.uint8))
                values[name].append(metrics.psnr(codes, pair.hr, border=_scale(model.card), peak=255))
            taken = {kind: statistics.median(times) for kind, times in run_alternately(opened, batch).items()}
            ratios.append(taken["fp32"] / taken["int8"])
    if not ratios:
        raise UsageError("all images are too small to be compared; choose larger ones")
    return Comparison(statistics.mean(values["fp32"]), statistics.mean(values["int8"]), statistics.median(ratios))


def _pairs(path: Path, card: Card, crop: int | None = None) -> Iterator[datasets.Pair]:
    """An image in the network's channels, at both resolutions, or its centre of `crop` LR pixels a side.

    Nothing if it is smaller.
    """
    codes, scale = datasets.read_image(path), _scale(card)
    codes = datasets.luma(codes)[..., None] if card.channels == "Y" else np.broadcast_to(codes, (*codes.shape[:2], 3))
    size = [side if crop is None else crop * scale for side in codes.shape[:2]]
    top, left = ((side - part) // 2 for side, part in zip(codes.shape[:2], size, strict=True))
    if min(top, left) < 0 or min(size) // scale <= 2:  # a border of the scale is cut
        return
    pair = datasets.pair(codes[top : top + size[0], left : left + size[1]], scale)
    yield pair if card.network_scale == scale else replace(pair, lr=resize(pair.lr, size=pair.hr.shape[:2]))


def _scale(card: Card) -> int:
    return card.network_scale * max(card.enlarged, default=1)


def _batch(codes: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(codes.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _some(images: Sequence[Path], most: int) -> Sequence[Path]:
    """Up to `most` of them, evenly spread."""
    count = min(most, len(images))
    return [images[n * len(images) // count] for n in range(count)]


def _layers(graph: onnx.GraphProto) -> list[str]:
    """The names of all convolutions that do not read the image itself; nodes without a name get one."""
    found = []
    for number, node in enumerate(graph.node):
        node.name = node.name or f"node_{number}"
        if node.op_type == "Conv" and graph.input[0].name not in node.input:
            found.append(node.name)
    return found


def _reader(name: str, batches: Sequence[NDArray[np.float32]]) -> Any:
    from onnxruntime import quantization

    class CalibrationImages(quantization.CalibrationDataReader):  # type: ignore[misc]
        left = iter(batches)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self.left, None)
            return None if batch is None else {name: batch}

    return CalibrationImages()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence ONNX Runtime's quantiser: it prints its progress, and advice to simplify a graph that is simple."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
