"""Hyperacuity: larger, sharper images with neural networks.

    import hyperacuity

    hyperacuity.upscale("photo.jpg", scale=2)        # writes photo-x2.jpg
    larger = hyperacuity.upscale(array, scale=3.5)   # (H, W, 3) uint8 -> the same, larger

    upscaler = hyperacuity.load("fsrcnn")            # opened once, used many times
    hyperacuity.models()                             # the cards of the installed models
    hyperacuity.inspect("photo.jpg").jpeg_quality    # how clean an image is

Importing this loads nothing else; each name is imported when it is first used.
"""

from __future__ import annotations

# As type checkers know it. Importing `typing` takes most of the time until the command can answer Ctrl-C.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from hyperacuity.api import load, models, upscale
    from hyperacuity.errors import (
        BadOutput,
        DamagedFile,
        HyperacuityError,
        HyperacuityWarning,
        MissingDependency,
        OutOfMemory,
        UnknownModel,
        Unreachable,
        UnsupportedFormat,
        UsageError,
        WeightsError,
    )
    from hyperacuity.formats import LossWarning
    from hyperacuity.image import Image
    from hyperacuity.inspection import Inspection, inspect
    from hyperacuity.pipeline import PrecisionWarning
    from hyperacuity.size import Size
    from hyperacuity.task import Options, Outcome, Progress, Stop, Stopped, Task
    from hyperacuity.upscaler import Upscaler

__version__ = "0.1.0"

__all__ = [
    "BadOutput",
    "DamagedFile",
    "HyperacuityError",
    "HyperacuityWarning",
    "Image",
    "Inspection",
    "LossWarning",
    "MissingDependency",
    "Options",
    "OutOfMemory",
    "Outcome",
    "PrecisionWarning",
    "Progress",
    "Size",
    "Stop",
    "Stopped",
    "Task",
    "UnknownModel",
    "Unreachable",
    "UnsupportedFormat",
    "Upscaler",
    "UsageError",
    "WeightsError",
    "__version__",
    "inspect",
    "load",
    "models",
    "upscale",
]

_HOMES = {
    "BadOutput": "errors",
    "DamagedFile": "errors",
    "HyperacuityError": "errors",
    "HyperacuityWarning": "errors",
    "Image": "image",
    "Inspection": "inspection",
    "LossWarning": "formats",
    "MissingDependency": "errors",
    "Options": "task",
    "OutOfMemory": "errors",
    "Outcome": "task",
    "PrecisionWarning": "pipeline",
    "Progress": "task",
    "Size": "size",
    "Stop": "task",
    "Stopped": "task",
    "Task": "task",
    "UnknownModel": "errors",
    "Unreachable": "errors",
    "UnsupportedFormat": "errors",
    "Upscaler": "upscaler",
    "UsageError": "errors",
    "WeightsError": "errors",
    "inspect": "inspection",
    "load": "api",
    "models": "api",
    "upscale": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
