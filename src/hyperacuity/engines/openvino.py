"""OpenVINO: Intel's runtime for CPUs, AMD's included; a little ahead of ONNX Runtime on these networks."""

from __future__ import annotations

import functools
import importlib.util
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import memory
from hyperacuity.engines.subpixel import as_convolution
from hyperacuity.errors import MissingDependency, OutOfMemory, UsageError, WeightsError
from hyperacuity.zoo import Model

# A network compiled for one shape is a fifth faster than one for all shapes, and compiling takes as long as some ten
# thousand pixels: so for tiles of this many pixels or more. A picture has few shapes of tiles.
WORTH_COMPILING = 1 << 15
SHAPES = 8
_NO_MEMORY = ("bad_alloc", "Failed to allocate", "out of memory", "Cannot allocate memory")


def installed() -> bool:
    return importlib.util.find_spec("openvino") is not None


def open(model: Model, device: str, precision: str) -> OpenVino:
    """The model on the CPU, from its ONNX file; float32 only."""
    if not installed():
        raise MissingDependency("this engine needs OpenVINO: pip install 'hyperacuity[openvino]'")
    if device not in ("auto", "cpu"):
        raise UsageError(f"OpenVINO computes on the CPU here, not on {device}: add --engine pytorch")
    if precision not in ("auto", "fp32"):
        raise UsageError(f"OpenVINO computes in fp32 here, not in {precision}: add --engine pytorch")
    if model.onnx is None:
        raise UsageError(f"{model.card.name} has no ONNX file beside it: add --engine pytorch")
    return OpenVino(model)


class OpenVino:
    precision = "fp32"

    def __init__(self, model: Model) -> None:
        import openvino

        self._core = openvino.Core()
        self._path = str(model.onnx)
        self._threads = threading.local()
        self._compiling = threading.Lock()
        self._compiled = functools.lru_cache(SHAPES)(self._compile)
        self.scale = model.card.network_scale
        self.channels = model.card.channel_count
        self.multiple = model.card.multiple
        self.halo = model.card.halo
        self.activation_bytes = model.card.activation_bytes
        try:
            self._compiled(None)
        except RuntimeError as error:
            raise WeightsError(f"OpenVINO cannot load {model.card.name}: {error}") from error

    def _compile(self, shape: tuple[int, ...] | None) -> Any:
        """For one shape, or for all."""
        network = self._core.read_model(self._path)
        _as_convolutions(network)
        if shape is not None:
            network.reshape(list(shape))
        # Else it takes bfloat16 where the processor has it.
        return self._core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def available(self) -> int:
        return memory.available()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = batch.shape if batch.shape[-2] * batch.shape[-1] >= WORTH_COMPILING else None
        try:
            with self._compiling:
                compiled = self._compiled(shape)
            result: NDArray[np.float32] = self._request(compiled).infer([batch])[0].copy()
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY):
                raise OutOfMemory("OpenVINO ran out of memory") from error
            raise
        return result

    def _request(self, compiled: Any) -> Any:
        """One for each thread: a request can do one thing at a time."""
        known = self._threads.__dict__.setdefault("requests", {})
        if id(compiled) not in known:
            if len(known) >= SHAPES:
                known.clear()
            known[id(compiled)] = compiled, compiled.create_infer_request()
        return known[id(compiled)][1]

    def in_float32(self) -> OpenVino:
        return self


def _as_convolutions(network: Any) -> None:
    """Put a convolution and a pixel shuffle in place of each transposed convolution that enlarges."""
    from openvino import opset13 as ops

    for node in network.get_ordered_ops():
        if node.get_type_name() != "ConvolutionBackpropData":
            continue
        how, source = node.get_attributes(), node.input_value(1).get_node()
        stride, pad = how["strides"], how["pads_begin"]
        even = len(set(stride)) == 1 and len(set(pad)) == 1 and set(how["dilations"]) == {1}
        if not even or source.get_type_name() != "Constant":
            continue
        exchanged = as_convolution(source.get_data(), stride[0], pad[0], how["output_padding"][0])
        if exchanged is None:
            continue
        kernel, before, after = exchanged
        phases = ops.convolution(
            node.input_value(0), ops.constant(kernel), [1, 1], [before, before], [after, after], [1, 1]
        )
        shuffled = ops.depth_to_space(phases, "depth_first", stride[0])
        node.output(0).replace(shuffled.output(0))
