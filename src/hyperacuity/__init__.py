"""Hyperacuity: larger, sharper images with neural networks.

    import hyperacuity

    hyperacuity.upscale("photo.jpg", scale=2)        # writes photo-x2.jpg
    larger = hyperacuity.upscale(array, scale=3.5)   # (H, W, 3) uint8 -> the same, larger

    upscaler = hyperacuity.load("fsrcnn")            # built once, used many times
    hyperacuity.models()                             # what there is

Importing this loads nothing else; each name is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hyperacuity.errors import (
    BadOutput,
    DamagedFile,
    HyperacuityError,
    MissingDependency,
    OutOfMemory,
    UnknownModel,
    Unreachable,
    UnsupportedFormat,
    UsageError,
    WeightsError,
)

if TYPE_CHECKING:
    from hyperacuity.api import Upscaler, load, models, upscale
    from hyperacuity.formats import LossWarning
    from hyperacuity.image import Image
    from hyperacuity.pipeline import PrecisionWarning
    from hyperacuity.size import Size

__version__ = "0.1.0"

__all__ = [
    "BadOutput",
    "DamagedFile",
    "HyperacuityError",
    "Image",
    "LossWarning",
    "MissingDependency",
    "OutOfMemory",
    "PrecisionWarning",
    "Size",
    "UnknownModel",
    "Unreachable",
    "UnsupportedFormat",
    "Upscaler",
    "UsageError",
    "WeightsError",
    "__version__",
    "load",
    "models",
    "upscale",
]

_HOMES = {
    "Image": "image",
    "LossWarning": "formats",
    "PrecisionWarning": "pipeline",
    "Size": "size",
    "Upscaler": "api",
    "load": "api",
    "models": "api",
    "upscale": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
