"""The published weights that the user has fetched: models in the cache folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from hyperacuity import machine
from hyperacuity.errors import HyperacuityError
from hyperacuity.zoo.files import Model, open_model


def fetched_folder() -> Path:
    """Returns the folder of fetched models; it need not exist."""
    return machine.cache_folder() / "models"


def fetched_models() -> Mapping[str, Model]:
    """Returns all fetched models by name; files that are no models are left out."""
    found = {}
    for path in sorted(fetched_folder().glob("*.safetensors")):
        with contextlib.suppress(HyperacuityError):  # damaged: fetching the model again replaces it
            found[path.stem] = open_model(path)
    return found
