"""Makes the plan of a batch: which tasks there are, as a pure function of the inputs and the options."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import hyperacuity
from hyperacuity.cluster.costs import CostMeter
from hyperacuity.cluster.kinds import band
from hyperacuity.cluster.kinds.protocol import Split
from hyperacuity.cluster.kinds.table import SPLITTERS
from hyperacuity.cluster.manifest import FORMAT, PlanHeader, PlannedFile, PlannedTask, write_plan
from hyperacuity.cluster.models import hash_models, package_versions
from hyperacuity.cluster.routes import companions_of, find_routes, kind_of, refuse_existing_companions
from hyperacuity.errors import LEAVE_OUT, OTHER, HyperacuityError, UsageError, Use
from hyperacuity.stores import check, open_store
from hyperacuity.task import ImageOptions, Task
from hyperacuity.tasks import PIPE, Naming, fit_options

# Seconds of work for which small files are put together, and the most files of one task.
_SECONDS, _MOST_FILES = 30.0, 500
# An image in a remote store of at least this many bytes is fetched, to see whether it is worth several tasks.
_LARGE = 32 << 20


@dataclass(frozen=True)
class PlanRequest:
    """What is to be planned.

    Attributes:
        inputs: Files, folders and patterns, or URLs of objects and folders.
        output: A folder or a file, or the URL of one.
        naming: How results are named.
        template: The request for each file, without source and target.
        recursive: Whether to search subfolders too.
        location: The folder for the plan, or its URL.
        force: Whether to replace results, and another plan.
        band_from: Images of at least this many pixels are split into bands of rows.
    """

    inputs: Sequence[str]
    output: str
    naming: Naming
    template: Task
    recursive: bool
    location: str
    force: bool = False
    band_from: int = band.LEAST_PIXELS


@dataclass
class PlanSummary:
    """What was planned.

    Attributes:
        files: The number of files.
        tasks: The number of tasks by kind.
        skipped: The number of files whose results exist, if they are to be skipped.
        whole: Large files that are done as one task, and why.
    """

    files: int = 0
    tasks: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    whole: list[tuple[str, str]] = field(default_factory=list)


def make_plan(request: PlanRequest) -> PlanSummary:
    """Write the manifest of a batch.

    Raises:
        UsageError: Nothing is found, two results have one name, a result exists, an option is only for one machine, or
            a store refuses.
    """
    check(request.location)
    _refuse_single(request)
    routes = find_routes(request.inputs, request.output, request.naming, recursive=request.recursive)
    _refuse_equal_names([target for _, target in routes], request.template)
    template = replace(request.template, force=False, skip_existing=False, explain=False)
    tasks = [replace(template, source=source, target=target) for source, target in routes]
    kinds = {task.source: kind_of(task) for task in tasks}
    tasks = fit_options(tasks, lambda task: kinds[task.source])
    if "video" in kinds.values():
        # Objects that may be images or measurements keep the options of both, and certainly are no videos.
        tasks = [task if kinds[task.source] else replace(task, video=None) for task in tasks]
    templates: list[Task] = []
    for task in tasks:
        if (bare := _bare(task)) not in templates:
            templates.append(bare)
    models: dict[str, str] = {}
    for each in templates:
        models |= hash_models(each.options)
    header = PlanHeader(FORMAT, hyperacuity.__version__, package_versions(), models, tuple(templates))
    summary = PlanSummary()
    write_plan(request.location, header, _plan_tasks(request, tasks, templates, summary), force=request.force)
    return summary


def _bare(task: Task) -> Task:
    return replace(task, source="", target="")


def _plan_tasks(
    request: PlanRequest, tasks: Sequence[Task], templates: Sequence[Task], summary: PlanSummary
) -> Iterator[PlannedTask]:
    """The tasks of all files in order; small files are collected until they are worth a task."""
    meter = CostMeter(request.template.options)
    batch: list[PlannedFile] = []
    seconds, number = 0.0, 0
    with tempfile.TemporaryDirectory(prefix="hyperacuity-plan-") as folder:
        for task in tasks:
            file = _planned_file(task, templates.index(_bare(task)), request, summary)
            if file is None:
                continue
            summary.files += 1
            local = _local_copy(task, Path(folder))
            split = _split(task, local, request, summary) if local is not None else None
            if split is not None:
                for each in _number(split, file, number):
                    _count(summary, each.kind)
                    yield each
                    number += 1
            else:
                cost = meter.estimate(task, local)
                if batch and (seconds + cost > _SECONDS or len(batch) == _MOST_FILES):
                    _count(summary, "files")
                    yield PlannedTask(number, "files", tuple(batch))
                    batch, seconds, number = [], 0.0, number + 1
                batch.append(file)
                seconds += cost
            if local is not None and str(local) != task.source:
                local.unlink()
        if batch:
            _count(summary, "files")
            yield PlannedTask(number, "files", tuple(batch))


def _count(summary: PlanSummary, kind: str) -> None:
    summary.tasks[kind] = summary.tasks.get(kind, 0) + 1


def _number(split: Split, file: PlannedFile, number: int) -> Iterator[PlannedTask]:
    """The tasks of one split file, with numbers from `number` on."""
    before: tuple[int, ...] = ()
    if split.prepare is not None:
        yield PlannedTask(number, split.prepare.kind, (file,), (), split.prepare.data)
        before = (number, number + 1)
        number += 1
    end = number + len(split.parts)
    for each, draft in enumerate(split.parts):
        yield PlannedTask(number + each, draft.kind, (file,), before, draft.data)
    yield PlannedTask(end, split.join.kind, (file,), (number, end), split.join.data)


def _planned_file(task: Task, template: int, request: PlanRequest, summary: PlanSummary) -> PlannedFile | None:
    """The file with the identities of what is there; None if its result exists and is skipped."""
    source, target = open_store(task.source).find(task.source), open_store(task.target).find(task.target)
    if source is None:
        raise UsageError(f"there is no {task.source}")
    if target is not None and request.template.skip_existing:
        summary.skipped += 1
        return None
    if target is not None and not request.force:
        raise UsageError(f"{task.target} exists", Use(output=OTHER), Use(force=True), Use(skip_existing=True))
    if not request.force:
        refuse_existing_companions(task)
    replaces = () if target is None else tuple(target.identity())
    return PlannedFile(task.source, task.target, tuple(source.identity()), template, replaces)


def _local_copy(task: Task, folder: Path) -> Path | None:
    """A source as a local path; None for small images in a remote store, which need not be read for a plan."""
    store = open_store(task.source)
    if store.local:
        return Path(task.source)
    entry = store.find(task.source)
    if entry is None or not (task.video is not None or _may_split(task.source, entry.size)):
        return None
    path = folder / Path(task.source).name
    store.fetch(task.source, path)
    return path


def _may_split(source: str, size: int) -> bool:
    from hyperacuity import formats

    return formats.names_video(Path(source)) or size >= _LARGE


def _split(task: Task, source: Path, request: PlanRequest, summary: PlanSummary) -> Split | None:
    for splitter in (*SPLITTERS, partial(band.split, least_pixels=request.band_from)):
        try:
            found = splitter(task, source)
        except HyperacuityError:
            return None  # its task reports it
        if isinstance(found, Split):
            return found
        if found:
            summary.whole.append((task.source, found))
            return None
    return None


def _refuse_single(request: PlanRequest) -> None:
    """Raise an error for what only one machine can do."""
    if PIPE in request.inputs or request.output == PIPE:
        raise UsageError("many machines cannot share a pipe: name files", Use(output=OTHER))
    image, video = request.template.image or ImageOptions(), request.template.video
    single = {"error_map": image.error_map, "report": image.report, "preview": video is not None and video.preview}
    for name, given in single.items():
        if given:
            raise UsageError("this is about one image, which needs no other machines", Use(**{name: LEAVE_OUT}))


def _refuse_equal_names(targets: Sequence[str], template: Task) -> None:
    """Raise an error for names that some of the machines might take for one, and for a file that would be two."""
    seen: dict[str, str] = {}
    for target in targets:
        other = seen.setdefault(target.casefold(), target)
        if other != target:
            raise UsageError(
                f"{other} and {target} differ only in case, which not all machines and stores tell apart",
                Use(output=OTHER),
                Use(keep_ending=True),
            )
    for companion in (each for target in targets for each in companions_of(replace(template, target=target))):
        other = seen.setdefault(companion.casefold(), "")
        if other:
            raise UsageError(f"{other} would be a result and a sample: plan one of them elsewhere", Use(output=OTHER))
