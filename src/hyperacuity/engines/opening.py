"""From a model to an engine: by name, or the one that promises to be the fastest here."""

from __future__ import annotations

import contextlib
import ctypes.util
import platform

from hyperacuity.engines import tuning
from hyperacuity.engines.foreign import FOREIGN
from hyperacuity.engines.protocol import Backend, Engine, Precision
from hyperacuity.engines.table import ENGINES
from hyperacuity.errors import LEAVE_OUT, MissingDependency, UsageError, Use, nearest
from hyperacuity.zoo import Model


def open(model: Model, *, engine: str = "auto", device: str = "auto", precision: Precision = "auto") -> Engine:
    """Make a model ready to run.

    Args:
        model: Of the zoo, or of a file.
        engine: A name of `ENGINES`, or "auto": on a GPU the engine that declares one, if it sees one; else the engine
            that `tune` measured to be the fastest; else the one that declares the largest gain for the architecture,
            is installed and can run the network; else the default.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "auto" is float32 on a CPU and half precision on a GPU; "int8" is for models that have an 8-bit form.

    Returns:
        The engine. A call costs up to seconds: keep it for as long as images come.

    Raises:
        MissingDependency: A package is not installed; the message is the line that installs it.
        UsageError: The engine cannot run this model, or not on this device or in this precision.
        WeightsError: The model's files are damaged.

    Example:
        >>> from hyperacuity import engines, zoo
        >>> engines.open(zoo.models()["fsrcnn-x2"], device="cpu").scale
        2
    """
    if engine == "auto":
        names = _candidates(model, device, precision)
    elif engine in ENGINES:
        names = [engine]
    else:
        raise UsageError(f"no engine {engine!r}; there are {', '.join(ENGINES)}{nearest(engine, ENGINES)}")
    for name in names[:-1]:
        with contextlib.suppress(UsageError):  # some engines lack operators
            return _open(name, model, device, precision)
    return _open(names[-1], model, device, precision)


def _open(name: str, model: Model, device: str, precision: str) -> Engine:
    backend = ENGINES[name]
    if precision == "int8" and "int8" not in backend.precisions:
        able = " or ".join(each.title for each in ENGINES.values() if "int8" in each.precisions)
        raise UsageError(f"8 bits are for {able}", Use(engine=LEAVE_OUT), Use(precision=LEAVE_OUT))
    if not backend.installed():
        raise MissingDependency(f"this engine needs {backend.title}: pip install {backend.install}")
    if device not in ("auto", "cpu") and backend.devices == ("cpu",):
        raise UsageError(f"{backend.title} computes on the CPU here, not on {device}", *_others_with(device=device))
    if precision not in ("auto", *backend.precisions):
        able = " or ".join(backend.precisions)
        raise UsageError(
            f"{backend.title} computes in {able} here, not in {precision}", *_others_with(precision=precision)
        )
    if model.card.architecture == FOREIGN and not backend.is_default:
        raise UsageError(
            f"{model.card.name} is an ONNX file of another project, which {backend.title} does not run here",
            Use(engine=LEAVE_OUT),
        )
    if backend.reads == "onnx" and model.onnx is None:
        raise UsageError(f"{model.card.name} has no ONNX file in its folder", *_others_with(reads="safetensors"))
    if backend.reads == "safetensors" and model.safetensors is None:
        raise UsageError(f"{model.card.name} has no weights for {backend.title}", *_others_with(reads="onnx"))
    return backend.open(model, device, precision)


def _others_with(*, device: str | None = None, precision: str | None = None, reads: str | None = None) -> list[Use]:
    """Cures: each engine that can do what another cannot."""
    kind = None if device is None else device.partition(":")[0]
    return [
        Use(engine=name)
        for name, backend in ENGINES.items()
        if (kind is None or (kind in backend.devices and backend.sees_gpu is not None))
        and (precision is None or precision in backend.precisions)
        and (reads is None or reads == backend.reads)
    ]


def _candidates(model: Model, device: str, precision: str) -> list[str]:
    """The engines that `auto` tries, one after the other."""
    if model.card.architecture == FOREIGN:
        return [name for name, backend in ENGINES.items() if backend.is_default]
    if precision == "int8":
        return [name for name, backend in ENGINES.items() if "int8" in backend.precisions]
    for_gpus = [name for name, backend in ENGINES.items() if backend.sees_gpu is not None]
    wants_gpu = device not in ("auto", "cpu") or precision not in ("auto", "fp32")
    for name in for_gpus:
        if ENGINES[name].installed() and (wants_gpu or (device == "auto" and _sees_gpu(ENGINES[name]))):
            return [name]
    if wants_gpu:
        missing = ENGINES[for_gpus[0]]
        raise MissingDependency(
            f"device {device} with precision {precision} needs {missing.title}: pip install {missing.install}"
        )
    if model.onnx is None:
        return [name for name, backend in ENGINES.items() if backend.reads == "safetensors"]
    default = [name for name, backend in ENGINES.items() if backend.is_default]
    tuned = tuning.recall(model)
    if tuned in ENGINES:
        return [tuned, *default]
    gains = {name: backend.gain.get(model.card.architecture, 0.0) for name, backend in ENGINES.items()}
    faster = sorted((name for name, gain in gains.items() if gain > 1), key=lambda name: -gains[name])
    return [*(name for name in faster if ENGINES[name].installed()), *default]


def _sees_gpu(backend: Backend) -> bool:
    # A driver is not enough: the PyTorch that pip installs on Windows, and the "+cpu" one, cannot use it.
    return backend.sees_gpu is not None and has_driver() and backend.sees_gpu()


def has_driver() -> bool:
    """Returns whether a GPU driver is installed; found out without the seconds that importing an engine takes."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return ctypes.util.find_library("nvcuda" if platform.system() == "Windows" else "cuda") is not None
