"""ONNX Runtime: the default engine; small, quick to start, and faster than PyTorch on a CPU."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine, zoo
from hyperacuity.engines.foreign import FOREIGN, ForeignNetwork
from hyperacuity.engines.protocol import Backend, CardFields
from hyperacuity.errors import LEAVE_OUT, OutOfMemory, Run, UsageError, Use, WeightsError
from hyperacuity.zoo import Model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


Providers = list[tuple[str, dict[str, Any]]]

_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory", "CUDNN_STATUS_ALLOC_FAILED")


def open(model: Model, device: str, precision: str) -> OnnxRuntime | ForeignNetwork:
    """Open a session on the CPU, or on CUDA if ONNX Runtime's GPU build is installed; 8 bits are for the CPU."""
    if precision == "int8":
        _check_int8(model, device)

    import onnxruntime

    provider, options = _provider(device)
    if provider not in onnxruntime.get_available_providers():
        raise UsageError(
            f"this ONNX Runtime cannot use {device}; install onnxruntime-gpu in place of onnxruntime",
            Use(device="cpu"),
            Use(engine=LEAVE_OUT),
        )
    if model.card.architecture == FOREIGN:
        assert model.onnx is not None
        return ForeignNetwork(model, _session(model.onnx, model.card.name, [(provider, options)], 0))
    return OnnxRuntime(model, [(provider, options)], "int8" if precision == "int8" else "fp32")


def _check_int8(model: Model, device: str) -> None:
    if device not in ("auto", "cpu"):
        raise UsageError("int8 is for the CPU", Use(device=LEAVE_OUT), Use(precision="fp16"))
    if model.int8 is None:
        there = ", ".join(name for name, known in zoo.models().items() if known.int8 is not None)
        raise UsageError(
            f"{model.card.name} has no 8-bit form; the zoo has one of {there}",
            Use(precision=LEAVE_OUT),
            Run("quantise", model.safetensors or model.card.name),
        )


def _session(path: Path, name: str, providers: Providers, threads: int) -> InferenceSession:
    """A session; `threads` of a run, 0 for its default of one for each physical core."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # faults are raised; they need not be printed as well
    if not threads and machine.cores() < (os.cpu_count() or 1):
        # Its default counts cores that this process may not use; the threads would wait for each other on the others.
        threads = machine.cores()
    settings.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(path, settings, providers=providers)
    except MemoryError as error:
        raise OutOfMemory(f"no memory to load {name}: close other programs") from error
    except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
        raise WeightsError(f"ONNX Runtime cannot load {name}: {error}") from error


def _provider(device: str) -> tuple[str, dict[str, Any]]:
    kind, _, number = device.partition(":")
    if kind in ("auto", "cpu"):
        return "CPUExecutionProvider", {}
    if kind == "cuda" and (number == "" or number.isdigit()):
        return "CUDAExecutionProvider", {"device_id": int(number or 0)}
    raise UsageError(f"no device {device!r} for ONNX Runtime: there are auto, cpu, cuda, cuda:N")


class OnnxRuntime(CardFields):
    """A network in ONNX Runtime, see `protocol.Engine`."""

    def __init__(self, model: Model, providers: Providers, precision: str = "fp32", threads: int = 0) -> None:
        super().__init__(model.card)
        self._model, self._providers, self.precision, self._threads = model, providers, precision, threads
        path = model.int8 if precision == "int8" else model.onnx
        assert path is not None
        self._session = _session(path, model.card.name, providers, threads)
        self._input = self._session.get_inputs()[0].name

    def available(self) -> int:
        return machine.available_memory()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            result: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        except MemoryError as error:
            raise OutOfMemory("ONNX Runtime ran out of memory") from error
        except Exception as error:
            # It has no exception type for a failed allocation, only these texts.
            if any(text in str(error) for text in _NO_MEMORY):
                raise OutOfMemory("ONNX Runtime ran out of memory") from error
            raise
        return result

    def in_float32(self) -> OnnxRuntime:
        return self if self.precision == "fp32" else OnnxRuntime(self._model, self._providers, threads=self._threads)

    def per_core(self) -> OnnxRuntime | None:
        return self._single_core if self._providers[0][0] == "CPUExecutionProvider" else None

    @functools.cached_property
    def _single_core(self) -> OnnxRuntime:
        if self._threads == 1:
            return self
        return OnnxRuntime(self._model, self._providers, self.precision, threads=1)


BACKEND = Backend(
    title="ONNX Runtime",
    open=open,
    package="onnxruntime",
    install="onnxruntime",
    devices=("cpu", "cuda"),
    precisions=("fp32", "int8"),
    is_default=True,
)
