"""ncnn: Tencent's runtime for phones and CPUs; ahead on wide 3x3 networks, by Winograd's convolution."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.errors import MissingDependency, OutOfMemory, UsageError, WeightsError
from hyperacuity.zoo import Model

if TYPE_CHECKING:
    from ncnn import Net

# Winograd's convolutions hold their input and output a second time: 2.2 (VDSR) to 2.8 times (Compact) the card's bytes.
_LAYOUTS = 3
_NO_MEMORY = -100  # what ncnn's layers answer when an allocation fails


def installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("ncnn", "onnx"))


def open(model: Model, device: str, precision: str) -> Ncnn:
    """The model on the CPU, converted from its ONNX file, which takes a moment; float32 only."""
    if not installed():
        raise MissingDependency("this engine needs ncnn and onnx: pip install 'hyperacuity[ncnn]'")
    if device not in ("auto", "cpu"):
        raise UsageError(f"ncnn computes on the CPU here, not on {device}: add --engine pytorch")
    if precision not in ("auto", "fp32"):
        raise UsageError(f"ncnn computes in fp32 here, not in {precision}: add --engine pytorch")
    if model.onnx is None:
        raise UsageError(f"{model.card.name} has no ONNX file beside it: add --engine pytorch")

    return Ncnn(model, machine.cores())


def _net(model: Model, threads: int) -> Net:
    import ncnn
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from hyperacuity.engines.onnx_to_ncnn import converted

    assert model.onnx is not None
    try:
        layers, weights = converted(model.onnx)
    except DecodeError as error:
        raise WeightsError(f"ncnn cannot load {model.card.name}: {error}") from error
    net = ncnn.Net()
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16", "use_int8")):
            setattr(net.opt, option, False)
    net.opt.num_threads = threads
    with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
        file = Path(folder, "weights.bin")
        file.write_bytes(weights)
        if net.load_param_mem(layers) != 0 or net.load_model(str(file)) != 0:
            raise WeightsError(f"ncnn cannot load {model.card.name}: add --engine onnxruntime")
    return net


class Ncnn:
    precision = "fp32"

    def __init__(self, model: Model, threads: int) -> None:
        self._model, self._threads = model, threads
        self._net = _net(model, threads)
        self.scale = model.card.network_scale
        self.channels = model.card.channel_count
        self.multiple = model.card.multiple
        self.halo = model.card.halo
        self.activation_bytes = _LAYOUTS * model.card.activation_bytes

    def available(self) -> int:
        return machine.available_memory()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        count, channels, height, width = batch.shape
        result = np.empty((count, channels, height * self.scale, width * self.scale), np.float32)
        for picture, answer in zip(batch, result, strict=True):
            answer[...] = self._one(picture)[:, : answer.shape[1], : answer.shape[2]]  # see `onnx_to_ncnn`
        return result

    def in_float32(self) -> Ncnn:
        return self

    def per_core(self) -> Ncnn:
        return self._alone

    @functools.cached_property
    def _alone(self) -> Ncnn:
        return self if self._threads == 1 else Ncnn(self._model, threads=1)

    def _one(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        import ncnn

        try:
            extractor = self._net.create_extractor()
            extractor.input("input", ncnn.Mat(np.ascontiguousarray(picture)))
            code, answer = extractor.extract("output")  # as `export` names them
        except MemoryError as error:
            raise OutOfMemory("ncnn ran out of memory") from error
        if code == _NO_MEMORY:
            raise OutOfMemory("ncnn ran out of memory")
        if code != 0:
            raise RuntimeError(f"ncnn failed with code {code}")
        return np.asarray(answer)
