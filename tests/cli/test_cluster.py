"""`hyperacuity cluster`: plan, work, run, status and check."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperacuity.cli import cluster
from hyperacuity.cluster.kinds.table import KINDS
from hyperacuity.cluster.runners.table import RUNNERS
from tests.cli.process import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(2):
        Image.fromarray(np.full((9, 8 + n, 3), 60 * n, np.uint8)).save(tmp_path / "in" / f"{n}.png")
    return tmp_path


def plan(folder: Path, *more: str) -> None:
    made = run("cluster", "plan", "in", "-o", "out", "-n", "bicubic", "--plan", "plan", *more, folder=folder)
    assert (made.returncode, made.stderr) == (0, "")


def test_the_names_of_runners_and_kinds_are_those_of_their_tables() -> None:
    assert tuple(RUNNERS) == cluster.RUNNERS
    assert {"files", "segment", "video-join"} <= set(KINDS)


def test_a_plan_is_made_and_run(folder: Path) -> None:
    made = run("cluster", "plan", "in", "-o", "out", "-n", "bicubic", "-s", "3", "--plan", "plan", folder=folder)
    assert made.stdout == "2 files, 1 task (1 files)\nrun them with: hyperacuity cluster run plan\n"
    done = run("cluster", "run", "plan", "--workers", "1", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "1 of 1 task is done"
    with Image.open(folder / "out" / "1.png") as image:
        assert image.size == (27, 27)
    again = run("cluster", "resume", "plan", "--json", folder=folder)
    assert json.loads(again.stdout) == {"tasks": 1, "done": 1, "before": 1, "failed": []}


def test_one_task_is_worked_on_by_number_or_as_the_next(folder: Path) -> None:
    plan(folder)
    assert run("cluster", "status", "plan", folder=folder).stdout == "1 task: 0 done, 0 running, 0 failed, 1 left\n"
    done = run("cluster", "work", "plan", "--task", "0", folder=folder)
    assert (done.returncode, done.stdout) == (0, "task 0: done\n")
    none = run("cluster", "work", "plan", "--next", folder=folder)
    assert (none.returncode, none.stdout) == (75, "no task is left that no worker has\n")
    found = json.loads(run("cluster", "status", "plan", "--json", folder=folder).stdout)
    assert (found["tasks"], found["done"]) == (1, 1)


def test_a_damaged_file_is_named_and_is_not_hidden_by_success(folder: Path) -> None:
    (folder / "in" / "0.png").write_bytes((folder / "in" / "0.png").read_bytes()[:40])
    plan(folder)
    done = run("cluster", "run", "plan", "--workers", "1", "-q", folder=folder)
    assert done.returncode == 1
    assert done.stderr.count("0.png") == 1, done.stderr  # its path is not repeated before the message
    assert "0.png is damaged" in done.stderr
    assert (folder / "out" / "1.png").exists()
    assert run("cluster", "work", "plan", "--task", "0", folder=folder).returncode == 1
    found = run("cluster", "status", "plan", folder=folder)
    assert found.stdout.startswith("1 task: 0 done, 0 running, 1 failed, 0 left")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere"], "nowhere has no plan"),
        (["work", "plan"], "give --task N, or --next"),
        (["work", "plan", "--task", "x"], "give numbers such as 17"),
        (["work", "plan", "--task", "7"], "there is no task 7; the plan has 1, from 0 on"),
        (["run", "plan", "--on", "abacus"], "--on abacus: give one of local"),
        (["plan", "in", "--plan", "other"], "say where the results go: -o FOLDER"),
        (["plan", "-", "-o", "out", "--plan", "other"], "many machines cannot share a pipe"),
        (["plan", "in", "-o", "out", "--plan", "plan", "-s", "4"], "plan has another plan"),
        (["plan", "in/0.png", "-o", "out/", "--plan", "other", "--report", "r.html"], "leave out --report"),
    ],
)
def test_mistakes_are_explained(folder: Path, arguments: list[str], message: str) -> None:
    plan(folder)
    failed = run("cluster", *arguments, folder=folder)
    assert failed.returncode == 1
    assert message in failed.stderr


def test_several_numbers_can_be_given() -> None:
    assert cluster._read_numbers("1,4, 9-12") == [1, 4, 9, 10, 11, 12]


def test_a_machine_is_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    plan(folder)
    done = run("cluster", "check", "plan", folder=folder)
    assert done.returncode == 0
    assert "ok: the packages are those of the planning machine" in done.stdout
    (folder / "in" / "0.png").unlink()
    assert run("cluster", "check", "plan", "--json", folder=folder).returncode == 1


@pytest.mark.parametrize("output", [None, "memory://bucket/large/", "memory://bucket/large/0.png", "here.png"])
def test_single_files_of_object_stores_are_upscaled(folder: Path, output: str | None) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pipe_file("/bucket/0.png", (folder / "in" / "0.png").read_bytes())
    command = ["upscale", "memory://bucket/0.png", "-n", "bicubic", *(["-o", output] if output else [])]
    done = run(*command, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    run("upscale", "in/0.png", "-n", "bicubic", "-o", "one.png", folder=folder)
    place = output or "memory://bucket/0-x2.png"
    place += "0.png" if place.endswith("/") else ""
    found = files.cat_file(place.removeprefix("memory:/")) if "://" in place else (folder / place).read_bytes()
    assert found == (folder / "one.png").read_bytes()
    again = run(*command, folder=folder)
    assert again.returncode == 1
    assert "exists" in again.stderr
    assert run(*command, "--force", folder=folder).returncode == 0


def test_a_damaged_object_is_named_by_its_url(folder: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pipe_file("/bucket/0.png", (folder / "in" / "0.png").read_bytes()[:40])
    failed = run("upscale", "memory://bucket/0.png", "-n", "bicubic", "-o", "here.png", folder=folder)
    assert failed.returncode == 1
    assert "memory://bucket/0.png is damaged" in failed.stderr
    missing = run("upscale", "memory://bucket/1.png", "-n", "bicubic", "-o", "here.png", folder=folder)
    assert "there is no memory://bucket/1.png" in missing.stderr
    assert not (folder / "here.png").exists()
