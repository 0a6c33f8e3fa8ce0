"""Which engine runs a model fastest here, as measured by `tune`; kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hyperacuity import machine, storage
from hyperacuity.engines.table import ENGINES
from hyperacuity.zoo import Model


def cache_file() -> Path:
    """Returns where measured choices are kept: one JSON object, from `key` to the name of an engine."""
    return machine.cache_folder() / "engines.json"


def recall(model: Model) -> str | None:
    """Returns the engine that was measured to be the fastest for this model, or None.

    Only a measurement on this processor, with the engines that are installed now, counts.
    """
    known = _read()  # first, since without any measurement nothing needs to be hashed
    return known.get(key(model)) if known else None


def remember(model: Model, engine: str) -> bool:
    """Keep the engine measured to be the fastest for a model.

    Returns:
        Whether it could be written into the cache folder.
    """
    path = cache_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.write_whole(path, json.dumps(_read() | {key(model): engine}, indent=1).encode())
    except OSError:
        return False
    return True


def key(model: Model) -> str:
    """Returns a key for everything a measurement depends on: model file, versions of the engines, processor, cores."""
    file = model.blended_from or model.onnx  # at every strength it is the same work
    assert file is not None
    versions = [f"{backend.package} {_version(backend.package)}" for backend in ENGINES.values()]
    facts = [hashlib.sha256(file.read_bytes()).hexdigest(), *versions, machine.processor(), str(machine.cores())]
    return f"{model.card.name} {hashlib.sha256('|'.join(facts).encode()).hexdigest()[:16]}"


def _version(package: str) -> str:
    import importlib.metadata  # which takes as long as all of this package's own modules

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _read() -> dict[str, str]:
    try:
        content = json.loads(cache_file().read_text())
    except (OSError, ValueError):  # never tuned, or cut short: measured again by the next `tune`
        return {}
    return content if isinstance(content, dict) else {}
