"""PyTorch: for GPUs (CUDA, Apple's MPS) and for models that are being developed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.engines.protocol import Backend, CardFields
from hyperacuity.errors import OutOfMemory, UsageError, Use, WeightsError
from hyperacuity.zoo import Model

if TYPE_CHECKING:
    import torch

# Only some failed allocations have an exception type (torch.OutOfMemoryError); others by these texts.
_NO_MEMORY = (
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
# cuDNN's settings belong to the process: one thread at a time changes them, and puts them back.
_CUDNN = threading.Lock()


def sees_gpu() -> bool:
    """Returns whether this build of PyTorch can use a GPU of this machine; imports it, which takes seconds."""
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def open(model: Model, device: str, precision: str) -> PyTorch:
    """The model on a device; "auto" is CUDA, then MPS, then the CPU; and fp16 on all but the CPU."""
    where = _device(device)
    if precision == "auto":
        # Not bf16: with its 8 bits, values near white lie 1/256 apart. FSRCNN x2 on a photo, against fp32: rounded to
        # 8 bits 37 % of the pixels differ, by up to 2 codes; in fp16 (11 bits) 7 %, by 1. What fp16 lacks is range: a
        # network whose activations overflow fails the check of its tiles and is computed in float32.
        precision = "fp32" if where.type == "cpu" else "fp16"
    return PyTorch(model, where, precision)


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device {name!r}: there are auto, cpu, cuda, cuda:N, mps") from error
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise UsageError(
            f"PyTorch {torch.__version__} sees no {name}; install its CUDA build and the driver", Use(device="cpu")
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("PyTorch sees no MPS device", Use(device="cpu"))
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"device {name!r} is not supported: there are auto, cpu, cuda, cuda:N, mps")
    return device


class PyTorch(CardFields):
    """A network in PyTorch, see `protocol.Engine`."""

    def __init__(self, model: Model, device: torch.device, precision: str) -> None:
        import safetensors
        import safetensors.torch
        import torch

        from hyperacuity.networks import build

        super().__init__(model.card)
        self._model, self._device = model, device
        self._full: PyTorch | None = None
        self._opening = threading.Lock()
        self._dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        self.precision = precision

        assert model.safetensors is not None
        network = build(model.card.architecture, model.card.config)
        try:
            network.load_state_dict(safetensors.torch.load_file(model.safetensors))
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise WeightsError(f"the weights of {model.card.name} do not fit its network: {error}") from error
        with _out_of_memory(device):
            network = network.eval().to(device, self._dtype)
            # Channels last is 1.3 to 1.8 times faster on CPUs and what tensor cores want.
            self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in stubs

    def available(self) -> int:
        import torch

        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            # For the driver, memory that PyTorch holds and does not use is taken.
            return free + torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return machine.available_memory()  # MPS shares the machine's memory

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode(), _out_of_memory(self._device):
            x = torch.from_numpy(batch).to(self._device, self._dtype, memory_format=torch.channels_last)
            with self._exact():
                y = self._network(x)
            result: NDArray[np.float32] = y.float().contiguous().cpu().numpy()
        return result

    def in_float32(self) -> PyTorch:
        if self.precision == "fp32":
            return self
        with self._opening:
            if self._full is None:
                self._full = PyTorch(self._model, self._device, "fp32")
            return self._full

    def per_core(self) -> None:
        return None  # PyTorch has one number of threads for the whole process

    @contextmanager
    def _exact(self) -> Iterator[None]:
        """Compute in real float32: by default cuDNN's convolutions round to TF32, which has no more bits than fp16."""
        import torch

        if self._device.type != "cuda" or self.precision != "fp32":
            yield
            return
        with _CUDNN, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield


@contextmanager
def _out_of_memory(device: torch.device) -> Iterator[None]:
    """Turn PyTorch's errors of a failed allocation into `OutOfMemory`."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not known and not any(text in str(error) for text in _NO_MEMORY):
            raise
        torch.cuda.empty_cache()
        raise OutOfMemory(f"{device} ran out of memory") from error


BACKEND = Backend(
    title="PyTorch",
    open=open,
    package="torch",
    install="'hyperacuity[torch]'",
    devices=("cpu", "cuda", "mps"),
    precisions=("fp32", "fp16", "bf16"),
    reads="safetensors",
    sees_gpu=sees_gpu,
)
