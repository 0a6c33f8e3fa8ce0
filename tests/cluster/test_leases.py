"""Leases: one holder, judged by the clock of the store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hyperacuity.cluster.leases import LeaseRecord, claim, lease_of, lose, new_holder
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.progress import look
from hyperacuity.cluster.runners.protocol import DONE, FAILED, HELD
from hyperacuity.cluster.work import MOST_LOST, Worker

# No test waits for a lease to run out.
_LONG = 3600.0


def stored(plan: Plan, number: int) -> LeaseRecord:
    return LeaseRecord.from_bytes(plan.store.read(lease_of(plan, number)))


def age(plan: Plan, number: int, seconds: float) -> None:
    """Let a lease look as if it had not been renewed for some time."""
    when = time.time() - seconds
    os.utime(lease_of(plan, number), (when, when))


def test_one_of_several_gets_a_task(tasks: str) -> None:
    with Plan(tasks) as plan:
        assert claim(plan, 0, "a:b:1", _LONG) is not None
        assert claim(plan, 0, "a:b:2", _LONG) is None
        assert claim(plan, 1, "a:b:2", _LONG) is not None
        assert Worker(plan).work_on(0).state == HELD


def test_a_lease_that_is_not_renewed_is_taken_over_and_counted(tasks: str) -> None:
    with Plan(tasks) as plan:
        claim(plan, 0, "elsewhere:1:a", _LONG)
        age(plan, 0, 2 * _LONG)
        lease = claim(plan, 0, "elsewhere:2:b", _LONG)
        assert lease is not None
        assert stored(plan, 0) == LeaseRecord("elsewhere:2:b", 1)
        lease.give_back()
        assert stored(plan, 0) == LeaseRecord("", 1)
        found = claim(plan, 0, "elsewhere:3:c", _LONG)
        assert found is not None
        assert found.record.lost == 1


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_changes_nothing(tasks: str, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    own = time.time
    with Plan(tasks) as plan:
        claim(plan, 0, "elsewhere:1:a", 600)
        monkeypatch.setattr(time, "time", lambda: own() + 3600 * hours)
        assert claim(plan, 0, "elsewhere:2:b", 600) is None


def test_a_lease_is_renewed_while_work_goes_on(tasks: str) -> None:
    with Plan(tasks) as plan:
        lease = claim(plan, 0, "elsewhere:1:a", 0.5)
        assert lease is not None
        age(plan, 0, _LONG)
        before = os.stat(lease_of(plan, 0)).st_mtime
        with lease:
            end = time.monotonic() + 60
            while os.stat(lease_of(plan, 0)).st_mtime == before and time.monotonic() < end:
                time.sleep(0.02)
        assert os.stat(lease_of(plan, 0)).st_mtime > before
        found = look(plan)
        assert (found.running, found.slowest) == (1, 0)
        assert found.slowest_seconds > 0


def test_a_holder_that_has_ended_on_this_machine_does_not_hold(tasks: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    host = new_holder().partition(":")[0]
    with Plan(tasks) as plan:
        claim(plan, 0, f"{host}:{process.pid}:a", _LONG)
        assert claim(plan, 0, new_holder(), _LONG) is not None


def test_a_runner_can_count_a_worker_as_lost(tasks: str) -> None:
    with Plan(tasks) as plan:
        claim(plan, 0, "elsewhere:1:a", _LONG)
        lose(plan, 0, "elsewhere:9:z")  # somebody else's
        assert stored(plan, 0).holder == "elsewhere:1:a"
        lose(plan, 0, "elsewhere:1:a")
        assert stored(plan, 0) == LeaseRecord("", 1)


def test_a_task_that_workers_do_not_survive_is_named(tasks: str) -> None:
    with Plan(tasks) as plan:
        for n in range(MOST_LOST + 1):
            assert claim(plan, 2, f"elsewhere:{n}:a", _LONG, take=n > 0) is not None
        report = Worker(plan).work_on(2, take=True)
        assert report.state == FAILED
        assert str(report.outcomes[0].error) == "4 workers were lost on it, so it is not tried again"
        assert plan.store.find(lease_of(plan, 2)) is None
        assert not Path(plan.task(2).files[0].target).exists()


def test_a_task_whose_scheduler_knows_better_is_taken(tasks: str) -> None:
    with Plan(tasks) as plan:
        claim(plan, 0, "elsewhere:1:a", _LONG)
        assert Worker(plan).work_on(0, take=True).state == DONE
        assert plan.store.find(lease_of(plan, 0)) is None


def test_next_takes_a_task_that_no_worker_has(tasks: str) -> None:
    with Plan(tasks) as plan:
        claim(plan, 0, "elsewhere:1:a", _LONG)
        worker = Worker(plan)
        numbers = [report.number for report in iter(worker.work_on_next, None)]
        assert numbers == [1, 2, 3]
