"""What every engine is, and what the module of an engine declares."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hyperacuity.zoo import Card, Model

Batch = NDArray[np.float32]
Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]


class Engine(Protocol):
    """A network that is ready to run. Every method may be called from several threads at once.

    Attributes:
        scale: Output pixels per input pixel along a side; 1 or more.
        channels: 1 (luma or grey) or 3 (RGB).
        multiple: Height and width of a batch must be divisible by it; 1 or more.
        halo: The largest distance in input pixels from which an input pixel influences an output pixel.
        activation_bytes: About how much memory a run needs for each pixel of the batch.
        precision: What it computes in: "fp32", "fp16", "bf16" or "int8".
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
        """Returns the bytes that a run may use now where it computes: in the GPU's memory, or the machine's."""
        ...

    def run(self, batch: Batch) -> Batch:
        """Compute the network.

        Args:
            batch: (N, channels, H, W) float32, C-contiguous, black 0 and white 1. Values may lie beyond: those of float
                images, and what an earlier network of a chain overshoots. H and W are divisible by `multiple`.

        Returns:
            (N, channels, H * scale, W * scale) float32, not clipped. It may contain NaN or Inf: callers check.

        Raises:
            OutOfMemory: An allocation failed. The engine can be used further, with smaller batches.
        """
        ...

    def in_float32(self) -> Engine:
        """Returns the same network in full precision: always the same object, and itself if it already is."""
        ...

    def per_core(self) -> Engine | None:
        """Returns the same network with one core for each run, or None if the engine cannot divide its cores.

        For callers that have as many runs as cores at once: none of them then waits for parts of the others.
        """
        ...


@dataclass(frozen=True)
class Backend:
    """What the module of an engine declares; `open_engine` and `auto` go by nothing else.

    Attributes:
        title: Its name in messages.
        open: Makes a model ready to run, on a device and in a precision that are declared here (or "auto"). Raises
            `UsageError` if it cannot run this model, `WeightsError` if the files are damaged.
        package: The package that it runs on, for which its name on the package index and in Python are the same.
        install: What `pip install` needs for it.
        requires: Further modules that must be importable.
        devices: Kinds of device that it can use.
        precisions: What it can compute in.
        reads: The file of a model that it needs.
        gain: Measured speed on a CPU, as a multiple of ONNX Runtime's, by architecture
            (benchmarks/results/speed_engines.csv). Where it is above 1, `auto` prefers this engine.
        is_default: Whether `auto` uses it on a CPU where no engine declares a gain or can run the network.
        sees_gpu: For an engine that `auto` uses on GPUs: whether it can use one of this machine; may take seconds.
    """

    title: str
    open: Callable[[Model, str, str], Engine]
    package: str
    install: str
    requires: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    precisions: tuple[str, ...] = ("fp32",)
    reads: Literal["onnx", "safetensors"] = "onnx"
    gain: Mapping[str, float] = field(default_factory=dict)
    is_default: bool = False
    sees_gpu: Callable[[], bool] | None = None

    def installed(self) -> bool:
        """Returns whether everything that it runs on can be imported; nothing is."""
        return all(importlib.util.find_spec(name) is not None for name in (self.package, *self.requires))


class CardFields:
    """The attributes of an engine that its model's card states.

    Args:
        card: Of the model.
        memory_factor: How many times the card's memory for activations this engine needs.
    """

    def __init__(self, card: Card, *, memory_factor: int = 1) -> None:
        self.scale = card.network_scale
        self.channels = card.channel_count
        self.multiple = card.multiple
        self.halo = card.halo
        self.activation_bytes = memory_factor * card.activation_bytes
