"""Checkpoints that survive a crash: each file is written whole or not at all."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, cast

import torch

from hyperacuity.errors import HyperacuityWarning, UsageError, WeightsError
from hyperacuity.storage import Partial
from hyperacuity.train.state import BestWeights, State


class CheckpointWarning(HyperacuityWarning):
    """A checkpoint could not be written; the previous one is unchanged, and the run continues."""


class Checkpoints:
    """The checkpoints of one run: step-N.pt, the last `keep` of them, and best.pt."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def paths(self) -> list[Path]:
        """Return the paths of all step-N.pt, the newest last."""
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, state: State) -> None:
        """Write a state, and remove the oldest checkpoints beyond `keep`."""
        if _written(self.folder / f"step-{state.step:09d}.pt", state.to_file()):
            for path in self.paths()[: -self.keep]:
                path.unlink(missing_ok=True)

    def save_best(self, best: BestWeights) -> None:
        """Replace best.pt."""
        _written(self.folder / "best.pt", best.to_file())

    def latest(self) -> State | None:
        """Read the newest state; None if there is none.

        Raises:
            WeightsError: For a damaged checkpoint.
        """
        paths = self.paths()
        return State.from_file(load(paths[-1])) if paths else None

    def best(self) -> BestWeights | None:
        """Read best.pt; None if missing. Raises as `latest` does."""
        path = self.folder / "best.pt"
        return BestWeights.from_file(load(path)) if path.exists() else None


def _written(path: Path, content: dict[str, Any]) -> bool:
    try:
        save(path, content)
    except (OSError, RuntimeError) as error:  # PyTorch's writer raises RuntimeError for a full disk
        warnings.warn(f"{path.name} could not be written ({error}): free some space", CheckpointWarning, stacklevel=3)
        return False
    return True


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, or leave the previous one as it was if writing fails.

    Raises:
        OSError: As the file system has it.
        RuntimeError: If PyTorch's writer notices that first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(path)
    try:
        buffered = io.BufferedWriter(cast("io.RawIOBase", partial.file))
        torch.save(content, buffered)
        buffered.detach()  # which writes what it still holds
        partial.commit()
    finally:
        partial.discard()


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code in it.

    Raises:
        UsageError: If the file is missing.
        WeightsError: For a file that is damaged or not a checkpoint.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"there is no checkpoint {path}: train it first, or start from another one") from error
    except Exception as error:  # a damaged pickle fails in every possible way
        raise WeightsError(
            f"{path} cannot be read as a checkpoint ({error}): delete it to continue without it"
        ) from error
    if not isinstance(content, dict) or "step" not in content or "recipe" not in content:
        raise WeightsError(f"{path} is not a checkpoint of this trainer: delete it to continue without it")
    return content
