"""How far a plan is, by what is in the store."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hyperacuity.cluster.kinds.table import KINDS
from hyperacuity.cluster.leases import LeaseRecord
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.cluster.runners.protocol import FAILED, Report
from hyperacuity.cluster.work import find_report
from hyperacuity.task import Record


@dataclass(frozen=True)
class PlanProgress(Record):
    """How far a plan is.

    Attributes:
        tasks: How many there are.
        done, running, failed, left: How many of them are in each state.
        per_hour: How many files were finished in an hour, from the first result to the last; 0 if unknown.
        slowest: The number of the task that has run longest; None if none runs.
        slowest_seconds: For how long, by the renewals of its lease.
        failures: The reports of those that failed.
    """

    tasks: int
    done: int = 0
    running: int = 0
    failed: int = 0
    left: int = 0
    per_hour: float = 0.0
    slowest: int | None = None
    slowest_seconds: float = 0.0
    failures: tuple[Report, ...] = ()


def look(plan: Plan) -> PlanProgress:
    """Returns how far a plan is.

    Raises:
        HyperacuityError: The store refuses or does not answer.
    """
    held: dict[int, float] = {}
    for name in plan.store.list(plan.state("leases")):
        record = LeaseRecord.from_bytes(plan.store.read(plan.state("leases", name)))
        if record.holder:
            held[int(name)] = record.seconds
    failed = {int(name) for name in plan.store.list(plan.state("failed"))}
    done, running, failures, finished = 0, [], [], _Finished()
    with plan.listing():
        for number in range(len(plan)):
            task = plan.task(number)
            if KINDS[task.kind].is_done(task, plan):
                done += 1
                finished.add(task, plan)
            elif number in held:
                running.append(number)
            elif number in failed and (report := find_report(plan, number)).state == FAILED:
                failures.append(report)
    slowest = max(running, key=lambda number: held[number], default=None)
    return PlanProgress(
        len(plan),
        done,
        len(running),
        len(failures),
        len(plan) - done - len(running) - len(failures),
        round(finished.per_hour(), 1),
        slowest,
        0.0 if slowest is None else held[slowest],
        tuple(failures),
    )


class _Finished:
    """When results were written, by the clocks of their stores."""

    def __init__(self) -> None:
        self._count, self._first, self._last = 0, math.inf, -math.inf

    def add(self, task: PlannedTask, plan: Plan) -> None:
        for file in task.files:
            if (entry := plan.find_result(file)) is not None:
                self._count += 1
                self._first, self._last = min(self._first, entry.modified), max(self._last, entry.modified)

    def per_hour(self) -> float:
        """Returns the rate after the first result; 0 if there are not enough results."""
        return 3600 * (self._count - 1) / (self._last - self._first) if self._last > self._first else 0.0
