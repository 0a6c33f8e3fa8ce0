"""ONNX Runtime: the default engine; small, quick to start, and faster than PyTorch on a CPU."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import memory
from hyperacuity.engines import choice
from hyperacuity.errors import MissingDependency, OutOfMemory, UsageError, WeightsError
from hyperacuity.zoo import Model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


Providers = list[tuple[str, dict[str, Any]]]

_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory", "CUDNN_STATUS_ALLOC_FAILED")


def installed() -> bool:
    return importlib.util.find_spec("onnxruntime") is not None


def open(model: Model, device: str, precision: str) -> OnnxRuntime:
    """A session on the CPU, or on CUDA where ONNX Runtime's GPU build is installed; float32 only."""
    if not installed():
        raise MissingDependency("this engine needs ONNX Runtime: pip install onnxruntime")
    if precision not in ("auto", "fp32"):
        raise UsageError(f"ONNX Runtime computes in fp32 here, not in {precision}: add --engine pytorch")
    if model.onnx is None:
        raise UsageError(f"{model.card.name} has no ONNX file beside it: add --engine pytorch")

    import onnxruntime

    provider, options = _provider(device)
    if provider not in onnxruntime.get_available_providers():
        raise UsageError(
            f"this ONNX Runtime cannot use {device}: take --device cpu, or --engine pytorch, "
            "or install onnxruntime-gpu in place of onnxruntime"
        )
    return OnnxRuntime(model, [(provider, options)])


def _session(model: Model, providers: Providers, threads: int) -> InferenceSession:
    """threads: of a run; 0 for as many as it finds good, which is one for each physical core."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # faults are raised; they need not be printed as well
    if not threads and choice.cores() < (os.cpu_count() or 1):
        # It counts cores that this process may not use, and its threads would wait for each other in turns on the rest.
        threads = choice.cores()
    settings.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(model.onnx, settings, providers=providers)
    except MemoryError as error:
        raise OutOfMemory(f"no memory to load {model.card.name}: close other programs") from error
    except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
        raise WeightsError(f"ONNX Runtime cannot load {model.card.name}: {error}") from error


def _provider(device: str) -> tuple[str, dict[str, Any]]:
    kind, _, number = device.partition(":")
    if kind in ("auto", "cpu"):
        return "CPUExecutionProvider", {}
    if kind == "cuda" and (number == "" or number.isdigit()):
        return "CUDAExecutionProvider", {"device_id": int(number or 0)}
    raise UsageError(f"no device {device!r} for ONNX Runtime: there are auto, cpu, cuda, cuda:N")


class OnnxRuntime:
    precision = "fp32"

    def __init__(self, model: Model, providers: Providers, threads: int = 0) -> None:
        self._model, self._providers = model, providers
        self._session = _session(model, providers, threads)
        self._input = self._session.get_inputs()[0].name
        self.scale = model.card.network_scale
        self.channels = model.card.channel_count
        self.multiple = model.card.multiple
        self.halo = model.card.halo
        self.activation_bytes = model.card.activation_bytes

    def available(self) -> int:
        return memory.available()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            result: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        except MemoryError as error:
            raise OutOfMemory("ONNX Runtime ran out of memory") from error
        except Exception as error:
            # There is no exception type for it: a failed allocation is told only by these texts.
            if any(text in str(error) for text in _NO_MEMORY):
                raise OutOfMemory("ONNX Runtime ran out of memory") from error
            raise
        return result

    def in_float32(self) -> OnnxRuntime:
        return self

    def alone(self) -> OnnxRuntime | None:
        on_cpu = self._providers[0][0] == "CPUExecutionProvider"
        return OnnxRuntime(self._model, self._providers, threads=1) if on_cpu else None
