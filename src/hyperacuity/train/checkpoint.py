"""Checkpoints that survive a crash: written beside, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import torch

from hyperacuity.errors import HyperacuityWarning, UsageError, WeightsError


class CheckpointWarning(HyperacuityWarning):
    """A checkpoint could not be written; the one before it is as it was, and the training goes on."""


class Checkpoints:
    """The checkpoints of one training: step-N.pt, the last `keep` of them, and best.pt."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[Path]:
        """All that there are, the newest last."""
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, state: dict[str, Any]) -> None:
        """Write the state after `state["step"]` steps and drop the oldest beyond `keep`."""
        if _written(self.folder / f"step-{state['step']:09d}.pt", state):
            for path in self.steps()[: -self.keep]:
                path.unlink(missing_ok=True)

    def save_best(self, state: dict[str, Any]) -> None:
        _written(self.folder / "best.pt", state)

    def latest(self) -> dict[str, Any] | None:
        """None when there is none. Raises `WeightsError` for a damaged one."""
        paths = self.steps()
        return load(paths[-1]) if paths else None

    def best(self) -> dict[str, Any] | None:
        path = self.folder / "best.pt"
        return load(path) if path.exists() else None


def _written(path: Path, state: dict[str, Any]) -> bool:
    try:
        save(path, state)
    except (OSError, RuntimeError) as error:  # PyTorch's writer says RuntimeError for a disk that is full
        warnings.warn(f"{path.name} could not be written ({error}): free some space", CheckpointWarning, stacklevel=3)
        return False
    return True


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace `path` in one step; whatever goes wrong before leaves what was there as it was."""
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
    """Read a checkpoint without running any code in it. Raises `UsageError` where there is none, and `WeightsError` for
    anything else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"there is no checkpoint {path}: train it first, or begin from another") from error
    except Exception as error:  # a damaged pickle fails in every way there is
        raise WeightsError(f"{path} is no readable checkpoint ({error}): delete it to go on without it") from error
    if not isinstance(state, dict) or "step" not in state or "recipe" not in state:
        raise WeightsError(f"{path} is no checkpoint of this trainer: delete it to go on without it")
    return state
