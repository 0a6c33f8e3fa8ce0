from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from hyperacuity.errors import WeightsError
from hyperacuity.train import checkpoint
from hyperacuity.train.checkpoint import Checkpoints, CheckpointWarning
from hyperacuity.train.state import BestWeights, State


def state(step: int) -> State:
    return State("abc", step, 1.0, 0.5, 30.0, network={}, average={}, optimizer={}, precision={})


def best(step: int) -> BestWeights:
    return BestWeights("abc", step, 30.0, {})


def test_the_last_checkpoints_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, 2)
    assert kept.latest() is None
    assert kept.best() is None
    for step in (0, 5, 10, 100):
        kept.save(state(step))
    kept.save_best(best(5))
    assert [path.name for path in kept.paths()] == ["step-000000010.pt", "step-000000100.pt"]
    assert (kept.latest(), kept.best()) == (state(100), best(5))


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04" + b"\0" * 99])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="delete it to continue without it"):
        checkpoint.load(path)
    torch.save({"step": 1, "recipe": "", "weights": {"a": torch.zeros(9)}}, path)
    whole, chance = path.read_bytes(), random.Random(1)
    for _ in range(100):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([chance.randrange(256)]) + whole[at + 1 :])
        with contextlib.suppress(WeightsError):
            checkpoint.load(path)
    torch.save({"a": 1}, path)
    with pytest.raises(WeightsError, match="not a checkpoint of this trainer"):
        checkpoint.load(path)


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "sprung").touch, ())

    torch.save({"step": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError):
        checkpoint.load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path, 1)
    kept.save(state(1))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.warns(CheckpointWarning, match="free some space"):
        kept.save(state(2))
    assert kept.latest() == state(1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.pt"]
