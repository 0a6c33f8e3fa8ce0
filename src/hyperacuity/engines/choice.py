"""Which engine runs a model fastest here, as `hyperacuity tune` has measured it; kept in the user's cache folder."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import platform
import sys
from pathlib import Path

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
    facts = [hashlib.sha256(model.onnx.read_bytes()).hexdigest(), *versions, processor(), str(cores())]
    return f"{model.card.name} {hashlib.sha256('|'.join(facts).encode()).hexdigest()[:16]}"


def processor() -> str:
    """The processor's name, as far as this system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return told or platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use: what it is bound to, and what its container may take of their time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, quota())))


@functools.cache
def quota(root: Path = Path("/")) -> float:
    """How many cores' worth of time Linux's control groups (version 2) leave this process: of `docker run --cpus 2`
    two, though it sees all of the machine's. More threads than that stand still together for most of each period.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        own = next(line.removeprefix("0::") for line in groups if line.startswith("0::"))
    except (OSError, StopIteration):
        return math.inf
    top, least = root / "sys/fs/cgroup", math.inf
    group = top / own.strip("/")
    for place in (group, *group.parents):
        try:
            time, period = (place / "cpu.max").read_text().split()
            least = min(least, math.inf if time == "max" else int(time) / int(period))
        except (OSError, ValueError):  # the topmost of the machine has none
            pass
        if place == top:
            break
    return least


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
