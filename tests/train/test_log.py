from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from hyperacuity.train import Log, TrainingProgress
from hyperacuity.train.log import LogWarning, read


def progress(step: int, loss: float = 1.0, validation: float | None = None) -> TrainingProgress:
    samples = {"a": np.zeros((8, 9, 1), np.uint8)} if validation else {}
    return TrainingProgress(step, 999, {"l1": loss, "kl": 2 * loss}, 1e-3, 0.01, validation, 0.0, samples)


def write(log: Log, first: int, last: int) -> None:
    for step in range(first, last + 1):
        log.write(progress(step))


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


def test_a_resumed_or_rewound_run_replaces_later_rows(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        write(log, 1, 200)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("250,0.0")  # cut short by a kill
    with Log(tmp_path) as log:  # resumed after step 120
        write(log, 121, 150)
        assert steps(tmp_path) == [50, 100, 150]
        for step in range(81, 131):  # rewound to step 80
            log.write(progress(step, validation=1.0 if step == 130 else None))
    assert steps(tmp_path) == [50, 100, 130]


def test_a_loss_that_appears_later_gets_a_column(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        for step in range(1, 76):
            log.write(TrainingProgress(step, 999, {"l1": 1.0}, 1e-3, 0.0, None, 0.0))
        for step in range(76, 151):  # and the order of the names changes too
            log.write(TrainingProgress(step, 999, {"adversary": 9.0, "l1": 2.0}, 1e-3, 0.0, None, 0.0))
    rows = read(tmp_path / "log.csv")
    assert [(row["l1"], row["adversary"]) for row in rows] == [(1.0, None), (1.5, 9.0), (2.0, 9.0)]


def test_a_column_stays_when_its_loss_is_no_longer_reported(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        write(log, 1, 50)
    with Log(tmp_path) as log:
        for step in range(51, 101):
            log.write(TrainingProgress(step, 999, {"l1": 3.0}, 1e-3, 0.0, None, 0.0))
    assert [(row["l1"], row["kl"]) for row in read(tmp_path / "log.csv")] == [(1.0, 2.0), (3.0, None)]


@pytest.mark.parametrize("cut", ["150,1.0,0.001,0.01,,0.", "150,1.0", "150,1.0\n", "a,b,c,d,e,f,g\n", "\0\0\xff\n"])
def test_an_incomplete_row_of_a_killed_run_is_ignored(tmp_path: Path, cut: str) -> None:
    with Log(tmp_path) as log:
        write(log, 1, 100)
    with (tmp_path / "log.csv").open("a", encoding="latin-1") as file:
        file.write(cut)
    assert steps(tmp_path) == [50, 100]
    with Log(tmp_path) as log:
        write(log, 101, 150)
    assert steps(tmp_path) == [50, 100, 150]


def test_seconds_continue_after_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(first: int, last: int) -> None:
        now = 1000.0
        monkeypatch.setattr("hyperacuity.train.log.time.monotonic", lambda: now)
        with Log(tmp_path) as log:
            for step in range(first, last + 1):
                now += 0.5
                log.write(progress(step))

    train(1, 100)
    train(51, 150)  # killed after its checkpoint at step 50
    assert [row["seconds"] for row in read(tmp_path / "log.csv")] == [25.0, 50.0, 75.0]


def test_a_full_disk_does_not_stop_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.write_text("a file where the folder would be")
    with Log(folder) as log:
        with pytest.warns(LogWarning, match="free some space") as warned:
            write(log, 1, 200)
        assert len(warned) == 1
        folder.unlink()
        write(log, 201, 300)  # there is room again
    assert steps(folder) == [250, 300]
    assert list((folder / "tensorboard").glob("events*"))


def test_later_rows_of_a_killed_run_are_removed_despite_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Log(tmp_path) as log:
        write(log, 1, 200)
    with Log(tmp_path) as log:  # resumed after step 100
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", full)
            with pytest.warns(LogWarning):
                write(log, 101, 150)
        assert steps(tmp_path) == [50, 100, 150, 200]  # nothing is lost while nothing can be written
        write(log, 151, 250)
    assert steps(tmp_path) == [50, 100, 200, 250]


def test_rows_are_written_even_if_tensorboard_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.utils.tensorboard import SummaryWriter

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Log(tmp_path) as log:
        write(log, 1, 60)
        monkeypatch.setattr(SummaryWriter, "add_scalar", full)
        monkeypatch.setattr(SummaryWriter, "close", full)
        with pytest.warns(LogWarning) as warned:
            write(log, 61, 220)
    assert len(warned) == 1
    assert steps(tmp_path) == [50, 100, 150, 200]


def test_a_disk_that_fills_during_a_row_leaves_a_valid_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(*_: object) -> None:
        with (tmp_path / "log.csv").open("a") as file:
            file.write("100,1.0,0.0")
        raise OSError(28, "No space left on device")

    with Log(tmp_path) as log:
        write(log, 1, 50)
        with monkeypatch.context() as patch:
            patch.setattr("csv.DictWriter.writerow", half)
            with pytest.warns(LogWarning):
                write(log, 51, 100)
        write(log, 101, 150)
    assert steps(tmp_path) == [50, 150]
    assert (tmp_path / "log.csv").read_text().count("\n") == 3


def test_a_long_log_is_read_quickly(tmp_path: Path) -> None:
    text = "step,seconds,rate,waiting,validation,l1\n" + "".join(
        f"{50 * n},{n},0.001,0.01,,0.0312345678901234\n" for n in range(1, 40_001)
    )
    (tmp_path / "log.csv").write_text(text)  # of two million steps
    began = time.perf_counter()
    assert len(read(tmp_path / "log.csv")) == 40_000
    assert time.perf_counter() - began < 5
