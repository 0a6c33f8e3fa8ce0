"""Runs over processes: what is lost is done again, what fails is named, what is stopped can be resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hyperacuity.cluster import driving
from hyperacuity.cluster.driving import RunSummary, run_plan
from hyperacuity.cluster.leases import claim
from hyperacuity.cluster.manifest import MANIFEST, Plan
from hyperacuity.cluster.progress import look
from hyperacuity.cluster.runners import local
from hyperacuity.cluster.runners.protocol import DONE, Report, RunSettings
from hyperacuity.cluster.work import Worker
from hyperacuity.task import Stop, Stopped
from tests.cluster.conftest import COUNT
from tests.cluster.plans import files_below, on_one_machine

# Replaces the work on images of every worker process: `step` decides before each file.
_CUSTOM = """
import os, signal, time
from pathlib import Path
from hyperacuity.cluster.kinds import files
own = files.work
def work(task, bench):
    folder = Path({folder!r})
    {step}
    return own(task, bench)
files.work = work
"""


def customise(monkeypatch: pytest.MonkeyPatch, folder: Path, step: str) -> None:
    """Let each worker process run some lines before its work; `task` and `folder` are known there."""
    place = folder / "custom"
    place.mkdir()
    (place / "sitecustomize.py").write_text(_CUSTOM.format(folder=str(folder), step=step))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(place), *sys.path]))


def run_here(location: str, stop: Stop | None = None, workers: int = 2) -> RunSummary:
    with Plan(location) as plan:
        return run_plan(plan, local, RunSettings(workers=workers), stop)


def assert_whole(tmp_path: Path) -> None:
    """All results are there, with the bytes of one machine, and nothing else is."""
    on_one_machine(str(tmp_path / "in"), f"{tmp_path / 'one'}/")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "one")


def test_processes_make_what_one_machine_makes(tasks: str, tmp_path: Path) -> None:
    summary = run_here(tasks)
    assert (summary.done, summary.before, summary.failed) == (COUNT, 0, [])
    assert_whole(tmp_path)
    again = run_here(tasks)
    assert (again.done, again.before) == (COUNT, COUNT)
    with Plan(tasks) as plan:
        found = look(plan)
        assert (found.tasks, found.done, found.running, found.failed, found.left) == (COUNT, COUNT, 0, 0, 0)
        for n, path in enumerate(sorted((tmp_path / "out").iterdir())):
            os.utime(path, (1000 + 90 * n, 1000 + 90 * n))
        assert look(plan).per_hour == 40


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_task_whose_worker_is_killed_is_done_by_another(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = """
    marker = folder / f"killed-{task.number}-{len(list(folder.glob(f'killed-{task.number}-*')))}"
    if task.number == 1 and not marker.name.endswith("-2"):
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""
    customise(monkeypatch, tmp_path, step.strip())
    summary = run_here(tasks)
    assert summary.failed == []
    assert len(list(tmp_path.glob("killed-1-*"))) == 2
    assert_whole(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_task_that_kills_every_worker_is_named_and_the_rest_is_done(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customise(monkeypatch, tmp_path, "os.kill(os.getpid(), signal.SIGKILL) if task.number == 1 else None")
    summary = run_here(tasks)
    assert summary.done == COUNT - 1
    ((report,), (outcome,)) = summary.failed, summary.failed[0].outcomes
    assert (report.number, outcome.source) == (1, str(tmp_path / "in" / "1.png"))
    assert "workers were lost" in str(outcome.error)
    assert sorted(files_below(tmp_path / "out")) == ["0.png", "2.png", "3.png"]


def test_leases_of_workers_that_died_after_their_result_are_removed(tasks: str, tmp_path: Path) -> None:
    run_here(tasks)
    with Plan(tasks) as plan:
        assert claim(plan, 0, "elsewhere:1:a", 3600) is not None
    assert run_here(tasks).before == COUNT
    assert set(files_below(Path(tasks))) == {MANIFEST}
    assert_whole(tmp_path)


def test_a_damaged_file_is_tried_once_in_each_run(tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "in" / "1.png"
    whole, times = damaged.read_bytes(), os.stat(damaged)
    damaged.write_bytes(whole[:-40] + bytes(40))
    os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))  # it counts as unchanged
    customise(monkeypatch, tmp_path, "(folder / 'tried').open('a').write(str(task.number))")
    for runs in (1, 2):
        summary = run_here(tasks)
        assert [report.number for report in summary.failed] == [1]
        assert "1.png is damaged" in str(summary.failed[0].outcomes[0].error)
        assert (tmp_path / "tried").read_text().count("1") == runs
    assert sorted(files_below(tmp_path / "out")) == ["0.png", "2.png", "3.png"]


def test_a_stop_gives_back_what_runs_and_the_next_run_resumes(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Task 2 waits for its stop, so that something runs when the stop comes.
    customise(monkeypatch, tmp_path, "bench.stop.wait(600) if task.number == 2 else None; bench.stop.check()")
    stop = Stop()

    def observe(report: Report) -> None:
        stop.set()

    with Plan(tasks) as plan:
        with pytest.raises(Stopped):
            run_plan(plan, local, RunSettings(workers=2), stop, observe)
        found = look(plan)
        assert found.running == found.failed == 0
        assert 1 <= found.done < COUNT
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    assert run_here(tasks).before == found.done
    assert_whole(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_a_driver_that_is_interrupted_or_killed_leaves_a_plan_that_resumes(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, code: int
) -> None:
    customise(
        monkeypatch,
        tmp_path,
        "(folder / f'begun-{task.number}').touch(); task.number == 1 and bench.stop.wait(600); bench.stop.check()",
    )
    command = [sys.executable, "-m", "hyperacuity", "cluster", "run", tasks, "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(tmp_path / "begun-1")
    process.send_signal(getattr(signal, number))
    assert process.wait(600) == code
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with Plan(tasks) as plan:  # workers of a killed driver notice the end of their input
        for _ in iter(lambda: look(plan).running, 0):
            threading.Event().wait(0.05)
    assert run_here(tasks).failed == []
    assert_whole(tmp_path)
    assert not list(tmp_path.rglob("*.part"))


def wait_for(path: Path) -> None:
    """Wait for a file that another process makes, as long as a busy machine may need."""
    for _ in range(12000):
        if path.exists():
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{path} did not appear")


class _Here:
    """A runner in this process."""

    def run(self, plan: Plan, numbers: Sequence[int], settings: RunSettings, stop: Stop) -> Iterator[Report]:
        worker = Worker(plan, settings, stop)
        for number in numbers:
            yield worker.work_on(number)


def test_two_runs_on_one_plan_do_each_task_once(tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "_PATIENCE", 0.05)
    reports: list[Report] = []

    def drive() -> None:
        with Plan(tasks) as plan:
            run_plan(plan, _Here(), RunSettings(), observe=reports.append)

    threads = [threading.Thread(target=drive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {report.state for report in reports} == {DONE}
    assert sorted(report.number for report in reports if report.outcomes) == list(range(COUNT))
    assert_whole(tmp_path)


def test_a_task_that_needs_a_failed_one_fails_with_it(tasks: str, tmp_path: Path) -> None:
    from dataclasses import replace

    from hyperacuity.cluster.manifest import write_plan

    (tmp_path / "in" / "1.png").write_bytes(b"no image")
    with Plan(tasks) as plan:
        made = [plan.task(number) for number in range(COUNT)]
        header = plan.header
    made[1] = replace(made[1], files=(replace(made[1].files[0], identity=_identity(tmp_path / "in" / "1.png")),))
    made[3] = replace(made[3], needs=(0, 3))
    write_plan(tasks, header, made, force=True)
    with Plan(tasks) as plan:
        assert plan.levels == [[0, 1, 2], [3]]
        summary = run_plan(plan, _Here())
    assert [report.number for report in summary.failed] == [1, 3]
    assert str(summary.failed[1].outcomes[0].error) == "task 1, which it needs, has failed"


def _identity(path: Path) -> tuple[int | str, ...]:
    from hyperacuity.stores import open_store

    entry = open_store(str(path)).find(str(path))
    assert entry is not None
    return tuple(entry.identity())
