"""All tasks of a plan, until they are done. Holds numbers of tasks, and no pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hyperacuity.cluster.leases import LeaseRecord
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import DONE, FAILED, HELD, LOST, STOPPED, Report, Runner, RunSettings
from hyperacuity.cluster.work import MOST_LOST, is_done, poisoned
from hyperacuity.errors import Unreachable
from hyperacuity.stores import open_store
from hyperacuity.task import Message, Outcome, Stop, Stopped

# Seconds to wait for tasks that another run works on, at most.
_PATIENCE = 5.0


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        done: The number of tasks whose results are there.
        before: How many of them were there when it began.
        failed: The reports of tasks that failed.
    """

    done: int = 0
    before: int = 0
    failed: list[Report] = field(default_factory=list)


def run_plan(
    plan: Plan,
    runner: Runner,
    settings: RunSettings | None = None,
    stop: Stop | None = None,
    observe: Callable[[Report], None] = lambda report: None,
) -> RunSummary:
    """Run all tasks of a plan that are not done. Calling it again resumes.

    Args:
        plan: The plan.
        runner: Where they run, from `runners.table`.
        settings: Of the run.
        stop: When it is set, no more tasks start, and running ones end or are given back.
        observe: Called with the report of each task, in the order in which they end.

    Returns:
        What was done, and what failed; tasks that need a failed one fail as well.

    Raises:
        Stopped: `stop` was set. What is done stays.
        Unreachable: A store did not answer for longer than `HYPERACUITY_STORE_PATIENCE`. What is done stays.
        HyperacuityError: The store or the runner fails.
    """
    settings, stop, summary = settings or RunSettings(), stop or Stop(), RunSummary()
    failed: set[int] = set()
    _forget_failures(plan)
    for numbers in plan.levels:
        with plan.listing():
            left = [number for number in numbers if not is_done(plan, number)]
        summary.before += len(numbers) - len(left)
        for report in _follow_all(plan, left, failed):
            summary.failed.append(report)
            failed.add(report.number)
            observe(report)
        left = [number for number in left if number not in failed]
        for report in _run_level(plan, runner, left, settings, stop, observe):
            summary.failed.append(report)
            failed.add(report.number)
    summary.done = len(plan) - len(summary.failed)
    if not summary.failed:
        _tidy(plan)
    return summary


def _run_level(
    plan: Plan,
    runner: Runner,
    numbers: Sequence[int],
    settings: RunSettings,
    stop: Stop,
    observe: Callable[[Report], None],
) -> list[Report]:
    """Run tasks that do not need each other; returns the reports of those that failed."""
    failed: list[Report] = []
    lost: Counter[int] = Counter()
    while numbers:
        left = set(numbers)
        again = []
        for each in runner.run(plan, numbers, settings, stop):
            report = each
            left.discard(report.number)
            if report.state == LOST:
                lost[report.number] += 1
                if report.unreachable:
                    _check_stores(plan, report)
                if lost[report.number] > MOST_LOST:
                    report = poisoned(plan.task(report.number), lost[report.number], report.reason)
            if report.state in (LOST, HELD, STOPPED):
                again.append(report.number)
            if report.state == FAILED:
                failed.append(report)
            if report.state in (DONE, FAILED, LOST):
                observe(report)
        stop.check()
        numbers = sorted([*again, *left])
        if numbers and all(not lost[number] for number in numbers) and stop.wait(_pause(settings)):
            raise Stopped
    return failed


def _check_stores(plan: Plan, report: Report) -> None:
    """Raise `Unreachable` if this machine does not reach the plan or the results either: no task could be done."""
    for location in (plan.location, *(file.target for file in plan.task(report.number).files[:1])):
        if not open_store(location).answers(location):
            raise Unreachable(report.reason)


def _forget_failures(plan: Plan) -> None:
    """Give tasks that failed, or whose workers were lost, new tries; what other runs work on is not touched."""
    for name in plan.store.list(plan.state("failed")):
        plan.store.remove(plan.state("failed", name))
    for name in plan.store.list(plan.state("leases")):
        location = plan.state("leases", name)
        if not LeaseRecord.from_bytes(plan.store.read(location)).holder:
            plan.store.remove(location)


def _tidy(plan: Plan) -> None:
    """Remove what killed workers left in the store, now that all results are there.

    A worker may have died after it put the result in its place, and before it removed its lease.
    """
    for folder in ("parts", "leases"):
        for name in plan.store.list(plan.state(folder)):
            plan.store.remove(plan.state(folder, name))
    for folder in ("parts", "leases", "failed", "clock"):
        plan.store.sweep(plan.state(folder))


def _pause(settings: RunSettings) -> float:
    return min(_PATIENCE, settings.lease_seconds / 4)


def _follow_all(plan: Plan, numbers: Sequence[int], failed: set[int]) -> Iterator[Report]:
    """The reports of tasks that need a failed one."""
    for number in numbers if failed else ():
        task = plan.task(number)
        cause = next((each for each in range(*task.needs) if each in failed), None) if task.needs else None
        if cause is not None:
            error = Message(f"task {cause}, which it needs, has failed")
            yield Report(number, FAILED, tuple(Outcome(each.source, each.target, error=error) for each in task.files))
