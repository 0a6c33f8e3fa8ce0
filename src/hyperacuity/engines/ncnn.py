"""ncnn: Tencent's runtime for phones and CPUs; ahead on wide 3x3 networks, by Winograd's convolution."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.engines.protocol import Backend, CardFields
from hyperacuity.errors import LEAVE_OUT, OutOfMemory, Use, WeightsError
from hyperacuity.zoo import Model

if TYPE_CHECKING:
    from ncnn import Net

# Winograd's convolutions hold their input and output a second time: 2.2 (VDSR) to 2.8 times (Compact) the card's bytes.
_MEMORY_FACTOR = 3
_NO_MEMORY = -100  # what ncnn's layers return when an allocation fails


def open(model: Model, device: str, precision: str) -> Ncnn:
    """Convert the model from its ONNX file, which takes a moment."""
    return Ncnn(model, machine.cores())


def _net(model: Model, threads: int) -> Net:
    import ncnn
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from hyperacuity.engines.onnx_to_ncnn import convert_graph

    assert model.onnx is not None
    try:
        layers, weights = convert_graph(model.onnx)
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
            raise WeightsError(f"ncnn cannot load {model.card.name}", Use(engine=LEAVE_OUT))
    return net


class Ncnn(CardFields):
    """A network in ncnn, see `protocol.Engine`."""

    precision = "fp32"

    def __init__(self, model: Model, threads: int) -> None:
        super().__init__(model.card, memory_factor=_MEMORY_FACTOR)
        self._model, self._threads = model, threads
        self._net = _net(model, threads)

    def available(self) -> int:
        return machine.available_memory()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        count, channels, height, width = batch.shape
        result = np.empty((count, channels, height * self.scale, width * self.scale), np.float32)
        for image, output in zip(batch, result, strict=True):
            output[...] = self._run_one(image)[:, : output.shape[1], : output.shape[2]]  # see `onnx_to_ncnn`
        return result

    def in_float32(self) -> Ncnn:
        return self

    def per_core(self) -> Ncnn:
        return self._single_core

    @functools.cached_property
    def _single_core(self) -> Ncnn:
        return self if self._threads == 1 else Ncnn(self._model, threads=1)

    def _run_one(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        import ncnn

        try:
            extractor = self._net.create_extractor()
            extractor.input("input", ncnn.Mat(np.ascontiguousarray(image)))
            code, output = extractor.extract("output")  # as `export` names them
        except MemoryError as error:
            raise OutOfMemory("ncnn ran out of memory") from error
        if code == _NO_MEMORY:
            raise OutOfMemory("ncnn ran out of memory")
        if code != 0:
            raise RuntimeError(f"ncnn failed with code {code}")
        return np.asarray(output)


BACKEND = Backend(
    title="ncnn",
    open=open,
    package="ncnn",
    requires=("onnx",),
    install="'hyperacuity[ncnn]'",
    gain={"compact": 1.57, "edsr": 1.49, "rrdb": 1.21, "span": 1.36, "srresnet": 1.14, "vdsr": 1.60},
)
