"""Checkpoints that survive a crash: written beside, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from hyperacuity.errors import WeightsError


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace `path` in one step; whatever goes wrong before leaves the previous checkpoint as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code in it. Raises `WeightsError` for anything else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a readable checkpoint ({error}): delete it to begin anew") from error
    if not isinstance(state, dict) or "step" not in state:
        raise WeightsError(f"{path} is no checkpoint of this trainer: delete it to begin anew")
    return state
