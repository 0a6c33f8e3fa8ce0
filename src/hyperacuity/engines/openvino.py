"""OpenVINO: Intel's runtime for CPUs, AMD's included; a little ahead of ONNX Runtime on these networks."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.engines.protocol import Backend, CardFields
from hyperacuity.engines.transposed import shuffled_convolution
from hyperacuity.errors import OutOfMemory, WeightsError
from hyperacuity.zoo import Model

_NO_MEMORY = ("bad_alloc", "Failed to allocate", "out of memory", "Cannot allocate memory")


def open(model: Model, device: str, precision: str) -> OpenVino:
    """Read the model from its ONNX file; it is compiled by the first run."""
    return OpenVino(model)


class OpenVino(CardFields):
    """A network in OpenVINO, see `protocol.Engine`."""

    precision = "fp32"

    def __init__(self, model: Model, streams: int = 1) -> None:
        super().__init__(model.card)
        self._model, self._streams = model, streams
        import openvino

        self._core = openvino.Core()
        try:
            self._network = self._core.read_model(str(model.onnx))
        except RuntimeError as error:
            raise WeightsError(f"OpenVINO cannot load {model.card.name}: {error}") from error
        _replace_transposed(self._network)
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._compiled: Any = None
        self._threads = threading.local()

    def _compile(self) -> Any:
        """Compile once, for all shapes: for the shape of a tile only it is no faster, and takes as long as half a tile.

        Only when it is needed, since `per_core` compiles again.
        """
        with self._lock:
            if self._compiled is None:
                # By default it uses bfloat16 if the processor has it.
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
        return self._divided

    @functools.cached_property
    def _divided(self) -> OpenVino:
        return self if self._streams > 1 else OpenVino(self._model, streams=machine.cores())  # which share the cores


def _replace_transposed(network: Any) -> None:
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
        replacement = shuffled_convolution(source.get_data(), stride[0], pad[0], how["output_padding"][0])
        if replacement is None:
            continue
        kernel, before, after = replacement
        phases = ops.convolution(
            node.input_value(0), ops.constant(kernel), [1, 1], [before, before], [after, after], [1, 1]
        )
        shuffled = ops.depth_to_space(phases, "depth_first", stride[0])
        node.output(0).replace(shuffled.output(0))


BACKEND = Backend(
    title="OpenVINO",
    open=open,
    package="openvino",
    install="'hyperacuity[openvino]'",
    gain={"compact": 1.02, "edsr": 1.04, "fsrcnn": 1.29, "srcnn": 1.21, "srresnet": 1.47},
)
