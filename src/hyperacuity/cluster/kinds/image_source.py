"""A large image, read once: what is known about the whole, and its rows where its file has to be read in order."""

from __future__ import annotations

from hyperacuity.cluster.bench import Bench
from hyperacuity.cluster.manifest import Plan, PlannedTask
from hyperacuity.cluster.prepared_image import prepare
from hyperacuity.task import Outcome


def is_done(task: PlannedTask, plan: Plan) -> bool:
    """See `TaskKind.is_done`."""
    return plan.has_part(task.number) or plan.is_finished(task.files[0])


def work(task: PlannedTask, bench: Bench) -> tuple[Outcome, ...]:
    """See `TaskKind.work`."""
    path = bench.spool / "prepared"
    prepare(bench.source(task.files[0]), path, bench.spool)
    bench.stop.check()
    bench.put_part(path, task.number)
    return ()
