"""Plans made and run in this process, and what one machine makes of the same files."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.planning import PlanRequest, PlanSummary, make_plan
from hyperacuity.cluster.runners.protocol import Report, RunSettings
from hyperacuity.cluster.work import Worker
from hyperacuity.size import Size, size_suffix
from hyperacuity.task import ImageOptions, Options, Outcome, Task, VideoOptions
from hyperacuity.tasks import Naming, batch, fit_options, plan

FAST = Options(model="bicubic")


def template(**fields: Any) -> Task:
    """A request by bicubic, unless `fields` says otherwise."""
    values: dict[str, Any] = {"size": Size(2), "options": FAST, "image": ImageOptions(), **fields}
    return Task("", "", **values)


def planned(
    inputs: str | list[str], output: str, location: str, request: Task | None = None, **given: Any
) -> PlanSummary:
    """Plan inputs, with all subfolders."""
    request = request or template()
    naming = Naming(None, size_suffix(request.size), given.pop("extension", None))
    names = [inputs] if isinstance(inputs, str) else inputs
    return make_plan(PlanRequest(names, output, naming, request, True, location, **given))


def work_all(location: str, seed: int = 0, settings: RunSettings | None = None) -> list[Report]:
    """Work on all tasks of a plan in this process, those that do not need each other in random order."""
    reports = []
    with Plan(location) as opened, Worker(opened, settings) as worker:
        for numbers in opened.levels:
            for number in random.Random(seed).sample(numbers, len(numbers)):
                reports.append(worker.work_on(number))
    return reports


def on_one_machine(inputs: str | list[str], output: str, request: Task | None = None, **given: Any) -> list[Outcome]:
    """Upscale the same inputs as `hyperacuity upscale` does."""
    request = request or template()
    naming = Naming(None, size_suffix(request.size), given.pop("extension", None))
    routes = plan([inputs] if isinstance(inputs, str) else inputs, output, naming, recursive=True)
    tasks = fit_options([replace(request, source=str(each.source), target=str(each.target)) for each in routes])
    return list(batch(tasks))


def lossless(**fields: Any) -> VideoOptions:
    """Options for videos whose encoder is deterministic on any number of threads."""
    return VideoOptions(codec="ffv1", **fields)


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of all files below a folder, hidden ones too, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
