"""One task of any kind."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from hyperacuity.errors import HyperacuityError
from hyperacuity.formats import LossWarning
from hyperacuity.formats.dicom import find_files
from hyperacuity.inspection import Inspection, choose_model
from hyperacuity.storage import storing
from hyperacuity.task import Choice, Message, Options, Outcome, Stop, Stopped, Task
from hyperacuity.tasks.kinds import KINDS, Kind, find_kind
from hyperacuity.tasks.observer import Observer
from hyperacuity.tasks.pipes import Pipes
from hyperacuity.tasks.upscalers import Upscalers
from hyperacuity.tasks.warning_hook import receiving
from hyperacuity.upscaler import Upscaler


def run(
    task: Task,
    observer: Observer | None = None,
    stop: Stop | None = None,
    *,
    pipes: Pipes | None = None,
    upscalers: Upscalers | None = None,
) -> Outcome:
    """Run one task of any kind and report its outcome.

    Args:
        task: The task.
        observer: Receives the reports, from this thread and from the threads of the work.
        stop: Ends the work at its next rows or frame when it is set.
        pipes: Streams for tasks whose source or target is "-".
        upscalers: Open models to share with other tasks.

    Returns:
        The outcome; a failure is its `error`.

    Raises:
        Stopped: `stop` was set. No half-written file is left.
        BrokenPipeError: The reader of a pipe has closed it.

    Example:
        >>> run(Task("missing.png", "larger.png")).error.text
        'missing.png does not exist'
    """
    observer = observer or Observer()
    return report_work(task, observer, lambda: perform(task, observer, stop, pipes=pipes, upscalers=upscalers))


def report_work(task: Task, observer: Observer, work: Callable[[], Outcome]) -> Outcome:
    """Do the work of a task, or of a part of one, and report it as `run` does.

    Args:
        task: The task.
        observer: Receives the reports.
        work: The work; its errors become those of the outcome, and its warnings reports.

    Returns:
        The outcome with the names of the task, its lost metadata and its time.

    Raises:
        Stopped, BrokenPipeError: From the work.
    """
    start = time.perf_counter()
    lost: list[Message] = []

    def receive(warning: Warning) -> None:
        message = Message.from_exception(warning)
        for path in (task.source, task.target):  # the outcome names them
            message = replace(message, text=message.text.removeprefix(f"{path}: ").removeprefix(f"{Path(path).name}: "))
        if isinstance(warning, LossWarning):
            lost.append(message)
        observer.warned(task, message)

    observer.started(task)
    with receiving(receive):
        try:
            outcome = work()
        except (Stopped, BrokenPipeError):
            raise
        except HyperacuityError as error:
            outcome = Outcome(task.source, task.target, error=Message.from_exception(error))
        except Exception as error:
            # An internal error must not end the other tasks of a batch, and its report must show where it occurred.
            trace = "".join(traceback.format_exception(error))
            text = f"internal error, please report it:\n{trace}"
            outcome = Outcome(task.source, task.target, error=Message(text))
    outcome = replace(
        outcome, source=task.source, target=task.target, lost=tuple(lost), seconds=time.perf_counter() - start
    )
    observer.finished(outcome)
    return outcome


def choose_upscaler(
    task: Task, source: Path | IO[bytes], upscalers: Upscalers, target: Path | IO[bytes] | None = None
) -> tuple[str, Upscaler, Choice | None, Path | IO[bytes]]:
    """Find what a task needs before it can begin.

    Args:
        task: The task.
        source: Its source.
        upscalers: Open models.
        target: Its target, which decides the kind of an animated image.

    Returns:
        The name of its kind, the model, why it was chosen, and the source from which to read from here on.

    Raises:
        HyperacuityError: The source cannot be read, or the model cannot be opened.
    """
    kind = find_kind(source, target)
    options, choice, source = _choose(task, KINDS[kind], source)
    if options.model is None and options.model_path is None:
        options = replace(options, model=KINDS[kind].MODEL)
    return kind, upscalers.get(options), choice, source


def perform(
    task: Task,
    observer: Observer | None = None,
    stop: Stop | None = None,
    *,
    pipes: Pipes | None = None,
    upscalers: Upscalers | None = None,
) -> Outcome:
    """Run one task of any kind for a caller who wants its errors and warnings as Python's own.

    Args:
        task, observer, stop, pipes, upscalers: As for `run`.

    Returns:
        The outcome, without the time and the lost metadata.

    Raises:
        HyperacuityError: The task cannot be done.
        Stopped, BrokenPipeError: As `run` does.
    """
    observer, stop, pipes = observer or Observer(), stop or Stop(), pipes or Pipes()
    stop.check()
    source, target = pipes.open_source(task.source), pipes.open_target(task.target)
    if isinstance(target, Path):
        with storing(target):
            if task.skip_existing and _has_result(source, target):
                return Outcome(task.source, task.target, skipped=True)
    kind, upscaler, choice, source = choose_upscaler(task, source, upscalers or Upscalers(), target)
    if isinstance(target, Path):
        with storing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
    outcome = KINDS[kind].run(task, upscaler, source, target, lambda progress: observer.progress(task, progress), stop)
    return replace(outcome, kind=kind, choice=choice)


def _has_result(source: Path | IO[bytes], target: Path) -> bool:
    """Whether the target exists; for a series a slice of its folder, in which other results may lie."""
    if isinstance(source, Path) and source.is_dir() and (slices := find_files(source)):
        return any((target / path.name).exists() for path in slices)
    return target.exists()


def _choose(task: Task, kind: Kind, source: Path | IO[bytes]) -> tuple[Options, Choice | None, Path | IO[bytes]]:
    """The options with the model that this source needs, why, and the source from which to read from here on."""
    rest = source

    def measure() -> Inspection | None:
        nonlocal rest
        found, rest = kind.inspect(task, source)
        return found

    return *choose_model(task.options, task.size, measure, explain=task.explain), rest
