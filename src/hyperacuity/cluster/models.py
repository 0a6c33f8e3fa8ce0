"""The models that a plan may use, by their hashes; and the versions of what computes."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from hyperacuity import zoo
from hyperacuity.cluster.manifest import Plan
from hyperacuity.errors import UsageError
from hyperacuity.task import Options

# Packages whose version decides the bytes of results.
_PACKAGES = (
    "numpy",
    "onnxruntime",
    "openvino",
    "ncnn",
    "torch",
    "pyvips-binary",
    "pillow",
    "av",
    "imagecodecs",
    "pillow-heif",
)


def hash_models(options: Options) -> dict[str, str]:
    """Returns the SHA-256 of each file of the models that options may use, by its name.

    Raises:
        UnknownModel: No model has the name.
        UsageError: The model file is missing.
    """
    if options.model_path is not None:
        path = Path(options.model_path)
        if not path.is_file():
            raise UsageError(f"{path} does not exist")
        return {path.name: _hash(path)}
    chosen = options.model in (None, zoo.AUTO)
    models = zoo.models().values() if chosen else zoo.find_models(str(options.model))
    files = [path for model in models for path in (model.safetensors, model.onnx) if path is not None]
    return {path.name: _hash(path) for path in sorted(files)}


def package_versions() -> dict[str, str]:
    """Returns the versions of the installed packages that decide the bytes of results."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def check_models(plan: Plan) -> None:
    """Check that this machine has the models of a plan.

    Raises:
        UsageError: One differs or is missing.
    """
    own: Mapping[str, str] = {}
    for options in {template.options for template in plan.header.templates}:
        own = {**own, **hash_models(options)}
    for name, digest in plan.header.models.items():
        if own.get(name) != digest:
            raise UsageError(f"the model {name} is not the one of the plan on this machine; install the same on all")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
