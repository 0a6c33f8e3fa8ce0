"""Spool folders: removed in the end, and those of killed processes by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.leases import this_machine
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.spool import default_spool, spool_folder
from hyperacuity.errors import UsageError
from hyperacuity.stores.local import LocalStore


def test_a_folder_is_removed_in_the_end(tmp_path: Path) -> None:
    with spool_folder(tmp_path / "spool") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"1")
        with spool_folder(tmp_path / "spool") as other:
            assert other != folder
        assert (folder / "deep" / "file").exists()
    assert not list((tmp_path / "spool").iterdir())
    assert default_spool().name.startswith("hyperacuity-spool")


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    place = this_machine().replace(".", "_")
    dead, alive, elsewhere = (
        tmp_path / name for name in (f"{place}-{process.pid}-01", f"{place}-{os.getpid()}-02", "elsewhere-1-03")
    )
    for folder in (dead, alive, elsewhere):
        folder.mkdir()
        (folder / "file").write_bytes(b"1")
        folder.with_suffix(".lock").touch()
    with spool_folder(tmp_path):
        pass
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert left == sorted([alive.name, elsewhere.name])
    assert not dead.with_suffix(".lock").exists()


def test_a_result_that_another_worker_published_meanwhile_is_no_error(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made" / "made.txt"  # results are made in folders of their own
    made.parent.mkdir()
    made.write_bytes(b"result")

    def lose_the_race(self: LocalStore, source: Path, location: str, mark: str) -> None:
        Path(location).parent.mkdir(exist_ok=True)
        Path(location).write_bytes(b"result")
        raise UsageError("a folder is in place of a file")

    def fail(self: LocalStore, source: Path, location: str, mark: str) -> None:
        raise UsageError("the disk is full")

    with Plan(tasks) as plan, spool_folder(tmp_path / "spool") as spool:
        bench = Bench(plan, spool)
        monkeypatch.setattr(LocalStore, "publish", lose_the_race)
        bench.publish(made, plan.task(0).files[0])
        monkeypatch.setattr(LocalStore, "publish", fail)
        with pytest.raises(UsageError, match="the disk is full"):
            bench.publish(made, plan.task(1).files[0])
