"""Reports of running tasks to a client."""

from __future__ import annotations

from hyperacuity.task import Message, Outcome, Progress, Task


class Observer:
    """Receives reports of tasks, from the threads that run them. Each method does nothing; clients override some."""

    def started(self, task: Task) -> None:
        """The work on a task begins."""

    def progress(self, task: Task, progress: Progress) -> None:
        """A task has made progress."""

    def warned(self, task: Task, warning: Message) -> None:
        """A task continues with a warning."""

    def finished(self, outcome: Outcome) -> None:
        """A task is done, or has failed."""

    def stopping(self) -> None:
        """A batch was asked to stop and waits for its running tasks to end."""
