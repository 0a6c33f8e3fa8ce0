"""One task of a plan, which may be done any number of times, always with the same result."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hyperacuity.cluster import leases
from hyperacuity.cluster.bench import Bench, SourceCache
from hyperacuity.cluster.checks import require_same_cpu
from hyperacuity.cluster.kinds.table import KINDS
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.cluster.models import check_models
from hyperacuity.cluster.runners.protocol import DONE, FAILED, HELD, LOST, STOPPED, Report, RunSettings
from hyperacuity.cluster.spool import spool_folder
from hyperacuity.errors import HyperacuityError, Unreachable
from hyperacuity.task import Message, Outcome, Stop, Stopped
from hyperacuity.tasks import Observer, Upscalers

# A task that ended this number of workers is not given to another one.
MOST_LOST = 3


class Worker:
    """Works on tasks of one plan, with models that stay open. Not for several threads. Close it in the end.

    Args:
        plan: The plan.
        settings: Of the run.
        stop: Ends the work.
        observer: Receives reports of files.
        holder: The name in leases; a new one if None.

    Raises:
        UsageError: A model of the plan is another one on this machine.
    """

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings | None = None,
        stop: Stop | None = None,
        observer: Observer | None = None,
        holder: str | None = None,
    ) -> None:
        self.plan, self.settings = plan, settings or RunSettings()
        self.stop, self.observer, self.holder = stop or Stop(), observer, holder or leases.new_holder()
        self._upscalers = Upscalers()
        self._base = None if self.settings.spool is None else Path(self.settings.spool)
        self._sources = SourceCache(self._base)
        check_models(plan)
        if self.settings.same_cpu:
            require_same_cpu(plan)

    def close(self) -> None:
        """Remove local copies of sources."""
        self._sources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def work_on(self, number: int, *, take: bool = False) -> Report:
        """Do a task, unless its result is there.

        Args:
            number: The task.
            take: See `leases.claim`.

        Returns:
            How it ended. An error of its own is recorded in the store.

        Raises:
            UsageError: There is no such task, or the store refuses.
            Unreachable: The store does not answer.
        """
        begun = time.perf_counter()
        task = self.plan.task(number)
        if KINDS[task.kind].is_done(task, self.plan):
            forget(self.plan, number)
            return Report(number, DONE)
        if task.needs and (missing := _find_missing(self.plan, task)) is not None:
            return Report(number, HELD, reason=f"task {missing} must be done before")
        lease = leases.claim(self.plan, number, self.holder, self.settings.lease_seconds, take=take)
        if lease is None:
            return Report(number, HELD, reason="another worker has it")
        report = poisoned(task, lease.record.lost) if lease.record.lost > MOST_LOST else self._work(task, lease, begun)
        if report.state == FAILED:
            self.plan.store.write(failure_of(self.plan, number), json.dumps(report.to_json()).encode())
        if report.state in (DONE, FAILED):
            lease.release()
        return report

    def _work(self, task: PlannedTask, lease: leases.Lease, begun: float) -> Report:
        outcomes: tuple[Outcome, ...] = ()
        try:
            with lease, spool_folder(self._base) as spool:
                bench = Bench(self.plan, spool, self._upscalers, self.stop, self.observer, self._sources)
                outcomes = KINDS[task.kind].work(task, bench)
                done = all(each.error is None for each in outcomes) and KINDS[task.kind].is_done(task, self.plan)
        except Stopped:
            lease.give_back()
            return Report(task.number, STOPPED)
        except Unreachable as error:
            with contextlib.suppress(HyperacuityError):
                lease.give_back(lost=True)
            return Report(task.number, LOST, reason=error.message, unreachable=True)
        except HyperacuityError as error:
            outcomes = tuple(
                Outcome(each.source, each.target, error=Message.from_exception(error)) for each in task.files
            )
            done = False
        except BaseException:
            lease.give_back(lost=True)
            raise
        failed = any(each.error is not None for each in outcomes)
        if not (done or failed):
            lease.give_back(lost=True)
            return Report(task.number, LOST, outcomes, "its result is not there")
        return Report(task.number, DONE if done else FAILED, outcomes, seconds=time.perf_counter() - begun)

    def work_on_next(self) -> Report | None:
        """Do the first task that can be claimed. Returns None if there is none."""
        for numbers in self.plan.levels:
            for number in numbers:
                if self.plan.store.find(failure_of(self.plan, number)) is not None or is_done(self.plan, number):
                    continue
                report = self.work_on(number)
                if report.state != HELD:
                    return report
        return None


def is_done(plan: Plan, number: int) -> bool:
    """Returns whether the result of a task is there."""
    task = plan.task(number)
    return KINDS[task.kind].is_done(task, plan)


def failure_of(plan: Plan, number: int) -> str:
    """Returns the location of the report of a task that failed by itself."""
    return plan.state("failed", str(number))


def find_report(plan: Plan, number: int) -> Report:
    """Returns what became of a task, by the store alone: DONE, FAILED, or LOST for all that another worker may try."""
    if is_done(plan, number):
        return Report(number, DONE)
    data = plan.store.read(failure_of(plan, number))
    if data is None:
        return Report(number, LOST, reason="its result is not there")
    return Report.from_json(json.loads(data))


def poisoned(task: PlannedTask, lost: int, reason: str = "") -> Report:
    """Returns the report of a task that workers do not survive; `reason` is that of the last one."""
    why = f" ({reason})" if reason else ""
    message = Message(f"{lost} workers were lost on it{why}, so it is not tried again")
    return Report(task.number, FAILED, tuple(Outcome(each.source, each.target, error=message) for each in task.files))


def forget(plan: Plan, number: int) -> None:
    """Remove the records of earlier tries."""
    for location in (leases.lease_of(plan, number), failure_of(plan, number)):
        if plan.store.find(location) is not None:
            plan.store.remove(location)


def _find_missing(plan: Plan, task: PlannedTask) -> int | None:
    first, end = task.needs
    return next((number for number in range(first, end) if not is_done(plan, number)), None)
