"""What a runner is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hyperacuity.cluster.manifest import Plan
from hyperacuity.task import Outcome, Record, Stop

# How a task ended: its result is there; it failed by an error of its own; its worker is lost or the store did not
# answer, so another worker may try; another run works on it; it was asked to stop and is given back.
DONE, FAILED, LOST, HELD, STOPPED = "done", "failed", "lost", "held", "stopped"


@dataclass(frozen=True)
class Report(Record):
    """How a task ended.

    Attributes:
        number: The task.
        state: DONE, FAILED, LOST, HELD or STOPPED.
        outcomes: Of the files that were worked on.
        reason: Why a worker was lost, for people.
        seconds: How long it took.
        unreachable: Whether it was lost because a store did not answer, and not with its worker.
    """

    number: int
    state: str
    outcomes: tuple[Outcome, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    unreachable: bool = False


@dataclass(frozen=True)
class RunSettings(Record):
    """What a user says about a run.

    Attributes:
        workers: How many tasks run at once; None for what suits the runner.
        lease_seconds: After how long without a sign of life a worker counts as lost.
        spool: The folder for files that are being worked on; None for the default of each machine.
        same_cpu: Whether to refuse processors whose results may differ in the last bits.
        more: Settings of one runner, by name.
    """

    workers: int | None = None
    lease_seconds: float = 120.0
    spool: str | None = None
    same_cpu: bool = False
    more: Mapping[str, str] = field(default_factory=dict)


class Runner(Protocol):
    """The interface of a module that implements a runner.

    A runner on other machines runs `hyperacuity cluster work PLAN --task N`, which exits with 0 if the result is there,
    with 1 if the task failed by an error of its own, and with 75 if another worker may try. What became of a task can
    be read from the store by `work.find_report`.
    """

    def run(self, plan: Plan, numbers: Sequence[int], settings: RunSettings, stop: Stop) -> Iterator[Report]:
        """Run tasks that do not need each other, in any order, each once.

        Args:
            plan: The plan.
            numbers: The tasks.
            settings: Of the run.
            stop: When it is set, no more tasks start; running ones end or are given back, and `run` returns.

        Yields:
            A report for each task, in the order in which they end. After a stop, tasks may be missing.
        """
        ...
