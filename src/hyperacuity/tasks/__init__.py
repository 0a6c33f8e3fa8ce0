"""Runs tasks of any kind, one or many at once, for any client.

    from hyperacuity.task import Task
    from hyperacuity.tasks import run

    outcome = run(Task("photo.jpg", "photo-x2.jpg"))

kinds               the table of kinds, and which kind a source is
image, video        one kind each: `accepts`, `run`
raster, volume      likewise, for measurements
measurements        the checks that these two share
run                 one task: `run`, which reports, and `perform`, which raises; for a part of one: `report_work`,
                    `choose_upscaler`
batch               many tasks in threads: `batch`
planning, naming    the target of each source: `plan`, `Naming`; the options of its kind: `fit_options`
observer            reports of tasks to a client: `Observer`
pipes               streams in place of files: `Pipes`
upscalers           one open model for tasks of equal options: `Upscalers`
warning_hook        warnings of libraries as messages of the task that caused them

The command line is a client of this package. Another one, such as an HTTP service, is a package next to `cli` with an
`Observer`. To add a kind of task: one file here and one line in `kinds.KINDS`.
"""

from __future__ import annotations

from hyperacuity.tasks.batch import batch
from hyperacuity.tasks.kinds import KINDS, Kind, find_kind
from hyperacuity.tasks.naming import Naming
from hyperacuity.tasks.observer import Observer
from hyperacuity.tasks.pipes import PIPE, Pipes
from hyperacuity.tasks.planning import Route, Unplanned, find_unplanned, fit_options, plan
from hyperacuity.tasks.run import choose_upscaler, perform, report_work, run
from hyperacuity.tasks.upscalers import Upscalers

__all__ = [
    "KINDS",
    "PIPE",
    "Kind",
    "Naming",
    "Observer",
    "Pipes",
    "Route",
    "Unplanned",
    "Upscalers",
    "batch",
    "choose_upscaler",
    "find_kind",
    "find_unplanned",
    "fit_options",
    "perform",
    "plan",
    "report_work",
    "run",
]
