"""What a kind of task is, and how a file is split into tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.task import Outcome, Task


class TaskKind(Protocol):
    """The interface of a module that implements a kind of task."""

    def is_done(self, task: PlannedTask, plan: Plan) -> bool:
        """Returns whether the result of a task is there, or whether nothing needs it any more."""
        ...

    def work(self, task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
        """Do a task whose needs are done, and publish its result in one atomic step. Doing it twice is harmless.

        Args:
            task: The task.
            bench: Its sources, a folder for its files, and the way to its results.

        Returns:
            An outcome for each file that was worked on. The error of one is an error of the task itself, which is not
            tried again.

        Raises:
            HyperacuityError: The same, if the task has one file.
            Unreachable: The store does not answer: another worker may try.
            Stopped: The stop of `bench` was set.
        """
        ...


@dataclass(frozen=True)
class Draft:
    """A task that has no number yet.

    Attributes:
        kind: A name from `table.KINDS`.
        data: What its kind needs to know, as plain data.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Split(NamedTuple):
    """The tasks of one file that several machines can make together.

    Attributes:
        parts: Tasks that can be done at once, in any order. They get consecutive numbers.
        join: Makes the result of them. Its `needs` are the parts.
        prepare: A task that all parts need, if any.
    """

    parts: tuple[Draft, ...]
    join: Draft
    prepare: Draft | None = None


class Splitter(Protocol):
    """A function that splits files of one sort."""

    def __call__(self, task: Task, source: Path) -> Split | str:
        """Returns how to split a file.

        Args:
            task: The request, with the target. Its source may be a URL.
            source: The file, as a local path.

        Returns:
            The tasks; or why it is done as one task; "" if it is not of this sort, or too small to be split.
        """
        ...
