"""Many tasks at once: bad files, a shared model, and stopping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity import engines
from hyperacuity.task import Options, Progress, Stop, Stopped, Task
from hyperacuity.tasks import Observer, Pipes, batch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        PIL.Image.fromarray(np.full((20, 30, 3), 99, np.uint8)).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"<html>")
    return tmp_path


def tasks_of(folder: Path, model: str = "bicubic") -> list[Task]:
    sources = sorted(folder.glob("*.png"))
    return [Task(str(path), str(folder / "out" / path.name), options=Options(model=model)) for path in sources]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_bad_file_does_not_end_a_batch(folder: Path, workers: int) -> None:
    outcomes = {Path(outcome.source).name: outcome for outcome in batch(tasks_of(folder), workers=workers)}
    assert set(outcomes) == {"a.png", "b.png", "bad.png", "c.png"}
    assert [name for name, outcome in outcomes.items() if outcome.error] == ["bad.png"]
    assert {path.name for path in (folder / "out").iterdir()} == {"a.png", "b.png", "c.png"}


def test_tasks_of_equal_options_open_a_network_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    original = engines.open

    def counting(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(engines, "open", counting)
    assert len(list(batch(tasks_of(folder, "fsrcnn-x2"), workers=2))) == 4
    assert len(opened) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_ends_the_running_tasks_and_starts_no_other(folder: Path, workers: int) -> None:
    class Stopping(Observer):
        noticed = 0

        def progress(self, task: Task, progress: Progress) -> None:
            stop.set()

        def stopping(self) -> None:
            self.noticed += 1

    for name in ("a.png", "b.png", "c.png"):
        PIL.Image.fromarray(np.zeros((700, 600, 3), np.uint8)).save(folder / name)
    taken = []

    def counted() -> Iterator[Task]:
        for task in tasks_of(folder):
            taken.append(task)
            yield task

    stop, observer = Stop(), Stopping()
    with pytest.raises(Stopped):
        list(batch(counted(), observer, stop, workers=workers))
    assert len(taken) == workers
    assert list((folder / "out").iterdir()) == []
    assert observer.noticed == 1


def test_a_reader_that_closes_its_pipe_ends_a_batch(folder: Path) -> None:
    class Closed:
        def write(self, data: bytes) -> int:
            raise BrokenPipeError

    source = str(folder / "a.png")
    task = Task(source, "-", options=Options(model="bicubic"))
    with pytest.raises(BrokenPipeError):
        list(batch([task], pipes=Pipes(target=Closed())))  # type: ignore[arg-type]
