"""One file of an object store, upscaled on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hyperacuity.cluster.bench import publish_with_companions
from hyperacuity.cluster.routes import companions_of, refuse_existing_companions
from hyperacuity.cluster.spool import spool_folder
from hyperacuity.errors import OTHER, HyperacuityError, UsageError, Use
from hyperacuity.stores import name_of, open_store
from hyperacuity.task import Message, Outcome, Progress, Stop, Task
from hyperacuity.tasks import Observer, Upscalers, run


class _Renaming(Observer):
    """Passes reports on about the task with the URLs."""

    def __init__(self, observer: Observer, task: Task) -> None:
        self._observer, self._task = observer, task

    def progress(self, task: Task, progress: Progress) -> None:
        self._observer.progress(self._task, progress)

    def warned(self, task: Task, warning: Message) -> None:
        self._observer.warned(self._task, warning)


def upscale_stored(task: Task, observer: Observer, stop: Stop, upscalers: Upscalers) -> Outcome:
    """Run one task whose source or target is a URL; a drop-in for `tasks.run`.

    Raises:
        Stopped: `stop` was set. Nothing half-written is left.
    """
    observer.started(task)
    try:
        outcome = _upscale(task, observer, stop, upscalers)
    except HyperacuityError as error:
        outcome = Outcome(task.source, task.target, error=Message.from_exception(error))
    observer.finished(outcome)
    return outcome


def _upscale(task: Task, observer: Observer, stop: Stop, upscalers: Upscalers) -> Outcome:
    origin, place = open_store(task.source), open_store(task.target)
    if place.find(task.target) is not None and not task.force:
        if task.skip_existing:
            return Outcome(task.source, task.target, skipped=True)
        raise UsageError(f"{task.target} exists", Use(output=OTHER), Use(force=True))
    if not task.force:
        refuse_existing_companions(task)
    with spool_folder() as spool:
        source = Path(task.source)
        if not origin.local:
            source = spool / "source" / name_of(task.source)
            source.parent.mkdir()
            origin.fetch(task.source, source)
        target = spool / "target" / name_of(task.target)
        local = replace(task, source=str(source), target=str(target), force=True)
        outcome = run(local, _Renaming(observer, task), stop, upscalers=upscalers)
        if outcome.error is None:
            publish_with_companions(target, task.target, "stored")
            outcome = replace(outcome, samples=tuple(companions_of(task)))
        else:
            text = outcome.error.text.replace(str(source), task.source).replace(str(target), task.target)
            outcome = replace(outcome, error=replace(outcome.error, text=text))
    return replace(outcome, source=task.source, target=task.target)
