"""Whole files: several small ones in one task, or one that cannot be split."""

from __future__ import annotations

from pathlib import Path

from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.manifest import Plan, PlannedFile, PlannedTask
from hyperacuity.errors import HyperacuityError, Unreachable
from hyperacuity.task import Message, Outcome
from hyperacuity.tasks import run


def is_done(task: PlannedTask, plan: Plan) -> bool:
    """See `TaskKind.is_done`."""
    return all(plan.is_finished(file) for file in task.files)


def work(task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
    """See `TaskKind.work`; files whose results are there are left out."""
    return tuple(_upscale(file, bench) for file in task.files if not bench.plan.is_finished(file))


def _upscale(file: PlannedFile, bench: Bench) -> Outcome:
    try:
        request = bench.request(file)
        outcome = bench.original(run(request, bench.observer, bench.stop, upscalers=bench.upscalers), file)
        if outcome.error is None:
            bench.publish(Path(request.target), file)
    except Unreachable:
        raise
    except HyperacuityError as error:
        outcome = Outcome(file.source, file.target, error=Message.from_exception(error))
    finally:
        bench.clear()
    return outcome
