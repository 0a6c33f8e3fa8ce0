"""Backends that run a network. One module each, with the same two names:

    installed()                          whether its package is here
    open(model, device, precision)       an `Engine`

To add one: write its module and name it in `ENGINES`, fastest first.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import platform
from types import ModuleType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperacuity.engines import ncnn, onnx_runtime, openvino, pytorch, tuning
from hyperacuity.errors import MissingDependency, UsageError, nearest
from hyperacuity.zoo import Model

# What is faster than ONNX Runtime on a CPU, fastest first, by architecture (benchmarks/results/speed_engines.csv).
# ncnn gains by Winograd's convolutions on wide 3x3 layers, OpenVINO by fusing PReLU and on large kernels.
FASTER: dict[str, tuple[str, ...]] = {
    "compact": ("ncnn", "openvino"),
    "edsr": ("ncnn", "openvino"),
    "fsrcnn": ("openvino",),
    "rrdb": ("ncnn",),
    "span": ("ncnn",),
    "srcnn": ("openvino",),
    "srresnet": ("openvino", "ncnn"),
    "vdsr": ("ncnn",),
}

Batch = NDArray[np.float32]
Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]

ENGINES: dict[str, ModuleType] = {
    "onnxruntime": onnx_runtime,
    "openvino": openvino,
    "ncnn": ncnn,
    "pytorch": pytorch,
}


class Engine(Protocol):
    """A network ready to run. Safe to use from several threads at once.

    scale: output pixels per input pixel along a side. channels: 1 (luma or grey) or 3 (RGB).
    multiple: the input's sides must divide by it. halo: how many input pixels away an output pixel still
    looks. activation_bytes: memory that a run takes for each pixel of the batch, about. precision: what it computes in.
    """

    @property
    def scale(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def multiple(self) -> int: ...
    @property
    def halo(self) -> int: ...
    @property
    def activation_bytes(self) -> int: ...
    @property
    def precision(self) -> str: ...

    def available(self) -> int:
        """Bytes that a run may take now where it computes: of the GPU's memory, or the machine's."""
        ...

    def run(self, batch: Batch) -> Batch:
        """(N, C, H, W) float32 -> (N, C, H * scale, W * scale) float32, black 0 and white 1. Raises `OutOfMemory`.

        Values may lie beyond: those of float images, and what an earlier network of a chain overshoots.
        """
        ...

    def in_float32(self) -> Engine:
        """The same network in full precision; itself if it already is."""
        ...

    def per_core(self) -> Engine | None:
        """The same network with one core for each run, for callers that have as many runs as cores at once, none of
        which then waits for the others' parts; None where a run takes what there is.
        """
        ...


def open(model: Model, *, engine: str = "auto", device: str = "auto", precision: Precision = "auto") -> Engine:
    """Make a model of the zoo (or of a file) ready to run.

    engine: a name of `ENGINES`, or "auto": PyTorch where a GPU is at hand for it, else what `hyperacuity tune` has
        found to be the fastest, else the first of `FASTER` that is installed and knows the network, else ONNX Runtime.
    device: "auto", "cpu", "cuda", "cuda:1", "mps". precision: "auto" is float32 on a CPU and half on a GPU;
        "int8" is for models that have such a form, in ONNX Runtime on a CPU.

    Raises `MissingDependency` with the line that installs what is missing, `UsageError` for what cannot be had.
    """
    names = [engine]
    if engine == "auto":
        names = ["onnxruntime"] if precision == "int8" else _choices(model, device, precision)
    elif precision == "int8" and engine in ENGINES and engine != "onnxruntime":
        raise UsageError(f"8 bits are for ONNX Runtime: leave out --engine {engine} or --precision int8")
    elif engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}; there are {', '.join(ENGINES)}{nearest(engine, ENGINES)}")
    opened: Engine
    for name in names[:-1]:
        with contextlib.suppress(UsageError):  # ncnn does not know all layers
            opened = ENGINES[name].open(model, device, precision)
            return opened
    opened = ENGINES[names[-1]].open(model, device, precision)
    return opened


def filled(planes: Batch, multiple: int) -> Batch:
    """(N, C, H, W) with sides that divide by `multiple`: mirrored at their ends, the last sample twice."""
    down, across = (-side % multiple for side in planes.shape[2:])
    if not (down or across):
        return planes
    return np.pad(planes, ((0, 0), (0, 0), (0, down), (0, across)), mode="symmetric")


def _choices(model: Model, device: str, precision: str) -> list[str]:
    """The engines to try, one after the other."""
    wants_gpu = device not in ("auto", "cpu") or precision not in ("auto", "fp32")
    # A driver is no promise: the PyTorch that pip installs on Windows, and the "+cpu" one, cannot use it.
    if pytorch.installed() and (wants_gpu or (device == "auto" and _has_driver() and pytorch.sees_gpu())):
        return ["pytorch"]
    if wants_gpu and not pytorch.installed():
        raise MissingDependency(
            f"device {device} with precision {precision} needs PyTorch: pip install 'hyperacuity[torch]'"
        )
    if model.onnx is None:
        return ["pytorch"]
    tuned = tuning.remembered(model)
    if tuned in ENGINES:
        return [tuned, "onnxruntime"]
    faster = FASTER.get(model.card.architecture, ())
    return [*(name for name in faster if ENGINES[name].installed()), "onnxruntime"]


def _has_driver() -> bool:
    """Whether a driver that PyTorch could use is here; told without the seconds that importing PyTorch takes."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return ctypes.util.find_library("nvcuda" if platform.system() == "Windows" else "cuda") is not None
