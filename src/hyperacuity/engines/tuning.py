"""Which engine runs a model fastest here, as `hyperacuity tune` has measured it; kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from hyperacuity import machine
from hyperacuity.zoo import Model

# A choice is as good as what it was made among.
_PACKAGES = ("onnxruntime", "openvino", "ncnn", "torch")


def file() -> Path:
    """Where choices are kept: one JSON object, from `key` to the name of an engine."""
    home = Path.home()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = home / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return cache / "hyperacuity" / "engines.json"


def remembered(model: Model) -> str | None:
    """The engine that was chosen for this model, on this processor and with what is installed now."""
    known = _read()  # first, since there is nothing to hash where nobody has ever tuned
    return known.get(key(model)) if known else None


def remember(model: Model, engine: str) -> bool:
    """Keep a choice; False where the cache folder cannot be written."""
    path = file()
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(_read() | {key(model): engine}, indent=1))
        fresh.replace(path)
    except OSError:
        return False
    return True


def key(model: Model) -> str:
    """Everything on which a choice rests: the model's file, the engines' versions, the processor, its cores."""
    assert model.onnx is not None
    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    facts = [hashlib.sha256(model.onnx.read_bytes()).hexdigest(), *versions, machine.processor(), str(machine.cores())]
    return f"{model.card.name} {hashlib.sha256('|'.join(facts).encode()).hexdigest()[:16]}"


def _version(package: str) -> str:
    import importlib.metadata  # which takes as long as all of this package's own modules

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _read() -> dict[str, str]:
    try:
        content = json.loads(file().read_text())
    except (OSError, ValueError):  # never tuned, or cut short: measured again by the next `tune`
        return {}
    return content if isinstance(content, dict) else {}
