"""OpenVINO: Intel's runtime for CPUs, AMD's included; a little ahead of ONNX Runtime on these networks."""

from __future__ import annotations

import functools
import importlib.util
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.engines.subpixel import as_convolution
from hyperacuity.errors import MissingDependency, OutOfMemory, UsageError, WeightsError
from hyperacuity.zoo import Model

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

    def __init__(self, model: Model, streams: int = 1) -> None:
        self._model, self._streams = model, streams
        self.scale = model.card.network_scale
        self.channels = model.card.channel_count
        self.multiple = model.card.multiple
        self.halo = model.card.halo
        self.activation_bytes = model.card.activation_bytes
        import openvino

        self._core = openvino.Core()
        try:
            self._network = self._core.read_model(str(model.onnx))
        except RuntimeError as error:
            raise WeightsError(f"OpenVINO cannot load {model.card.name}: {error}") from error
        _as_convolutions(self._network)
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._compiled: Any = None
        self._threads = threading.local()

    def _compile(self) -> Any:
        """Once, for all shapes: for the shape of a tile alone it is no faster, and takes as long as half a tile. Not
        before it is needed, since `alone` takes as long again.
        """
        with self._lock:
            if self._compiled is None:
                # Else it takes bfloat16 where the processor has it.
                settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": self._streams}
                try:
                    self._compiled = self._core.compile_model(self._network, "CPU", settings)
                except RuntimeError as error:
                    raise WeightsError(f"OpenVINO cannot load {self._model.card.name}: {error}") from error
            return self._compiled

    def available(self) -> int:
        return machine.available_memory()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            result: NDArray[np.float32] = self._request().infer([batch], share_inputs=True)[0]
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY):
                self._forget()  # what has been compiled would ask for the same memory again, whatever the shape
                raise OutOfMemory("OpenVINO ran out of memory") from error
            raise
        return result

    def _request(self) -> Any:
        """One for each thread: a request can do one thing at a time."""
        own = self._threads
        if not hasattr(own, "request"):
            own.request = self._compile().create_infer_request()
        return own.request

    def in_float32(self) -> OpenVino:
        return self

    def per_core(self) -> OpenVino:
        return self._alone

    @functools.cached_property
    def _alone(self) -> OpenVino:
        return self if self._streams > 1 else OpenVino(self._model, streams=machine.cores())  # which share the cores


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
