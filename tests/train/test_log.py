from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hyperacuity.train import Log, Progress
from hyperacuity.train.log import LogWarning, read


def progress(step: int, loss: float = 1.0, validation: float | None = None) -> Progress:
    samples = {"a": np.zeros((8, 9, 1), np.uint8)} if validation else {}
    return Progress(step, 999, {"l1": loss, "kl": 2 * loss}, 1e-3, 0.01, validation, 0.0, samples)


def steps(folder: Path) -> list[float | None]:
    return [row["step"] for row in read(folder / "log.csv")]


def test_losses_are_averaged_and_validations_kept(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        for step in range(1, 101):
            log.write(progress(step, loss=float(step)))
        log.write(progress(101, validation=30.5))
    rows = read(tmp_path / "log.csv")
    assert [row["l1"] for row in rows] == [25.5, 75.5, 1.0]
    assert [row["kl"] for row in rows] == [51.0, 151.0, 2.0]
    assert [row["validation"] for row in rows] == [None, None, 30.5]
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_resumed_or_rewound_training_takes_the_place_of_what_came_after(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        for step in range(1, 201):
            log.write(progress(step))
    with (tmp_path / "log.csv").open("a") as file:
        file.write("250,0.0")  # cut short by a kill
    with Log(tmp_path) as log:  # resumed after step 120
        for step in range(121, 151):
            log.write(progress(step))
        assert steps(tmp_path) == [50, 100, 150]
        for step in range(81, 131):  # rewound to step 80
            log.write(progress(step, validation=1.0 if step == 130 else None))
    assert steps(tmp_path) == [50, 100, 130]


def test_a_disk_that_is_full_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with Log(tmp_path) as log, pytest.warns(LogWarning, match="free some space"):
        log.write(progress(1, validation=1.0))
