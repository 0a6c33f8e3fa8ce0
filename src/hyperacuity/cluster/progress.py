"""How far a plan is, by what is in the store."""

from __future__ import annotations

from dataclasses import dataclass

from hyperacuity.cluster.leases import LeaseRecord
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import FAILED, Report
from hyperacuity.cluster.work import find_report, is_done
from hyperacuity.task import Record


@dataclass(frozen=True)
class PlanProgress(Record):
    """How far a plan is.

    Attributes:
        tasks: How many there are.
        done, running, failed, left: How many of them are in each state.
        failures: The reports of those that failed.
    """

    tasks: int
    done: int = 0
    running: int = 0
    failed: int = 0
    left: int = 0
    failures: tuple[Report, ...] = ()


def look(plan: Plan) -> PlanProgress:
    """Returns how far a plan is.

    Raises:
        HyperacuityError: The store refuses or does not answer.
    """
    held = set()
    for name in plan.store.list(plan.state("leases")):
        if LeaseRecord.from_bytes(plan.store.read(plan.state("leases", name))).holder:
            held.add(int(name))
    failed = {int(name) for name in plan.store.list(plan.state("failed"))}
    done = running = 0
    failures = []
    with plan.listing():
        results = {number for number in range(len(plan)) if is_done(plan, number)}
    for number in range(len(plan)):
        if number in results:
            done += 1
        elif number in held:
            running += 1
        elif number in failed and (report := find_report(plan, number)).state == FAILED:
            failures.append(report)
    left = len(plan) - done - running - len(failures)
    return PlanProgress(len(plan), done, running, len(failures), left, tuple(failures))
