"""`hyperacuity cluster`: one batch over many machines."""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
import typing
from typing import Annotated, Any

import typer

from hyperacuity.cli import upscale
from hyperacuity.cli.options import COMPUTE, Json, Quiet
from hyperacuity.cli.streams import escape_unprintable, print_line
from hyperacuity.cli.wording import describe, printed_warnings
from hyperacuity.counting import counted
from hyperacuity.errors import Unreachable, UsageError

if typing.TYPE_CHECKING:
    from hyperacuity.cluster.driving import RunSummary
    from hyperacuity.cluster.runners.protocol import Report, RunSettings

# What `work` exits with where another worker may try: EX_TEMPFAIL of sysexits.h.
_TRY_AGAIN = 75

# The names of `runners.table.RUNNERS`, which a test compares.
RUNNERS = ("local", "ray", "slurm")

PlanFolder = Annotated[str, typer.Argument(metavar="PLAN", help="The folder of the plan, or its URL.")]
On = Annotated[str, typer.Option("--on", help=f"Where tasks run: {', '.join(RUNNERS)}.")]
Count = Annotated[
    int | None, typer.Option("--workers", min=1, help="Number of tasks at once; one for each core if missing.")
]
Lease = Annotated[
    float, typer.Option(min=1, help="Seconds without a sign of life after which a worker counts as lost.")
]
Spool = Annotated[
    str | None, typer.Option(help="Folder on each machine for files that are being worked on.", rich_help_panel=COMPUTE)
]
SameCpu = Annotated[
    bool,
    typer.Option("--same-cpu", help="Refuse processors whose results may differ in the last bits."),
]
Address = Annotated[
    str | None, typer.Option(help="Of the Ray cluster; the one of this machine if missing.", rich_help_panel="Ray")
]
Sbatch = Annotated[
    list[str] | None,
    typer.Option("--sbatch", metavar="OPTION", help="An option of sbatch for all jobs.", rich_help_panel="Slurm"),
]
TasksPerJob = Annotated[
    int | None, typer.Option(min=1, help="Tasks that one job does; 4 if missing.", rich_help_panel="Slurm")
]
Detach = Annotated[bool, typer.Option("--detach", help="Submit all jobs and return.", rich_help_panel="Slurm")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the scripts instead of submitting them.", rich_help_panel="Slurm")
]

app = typer.Typer(
    help="Upscale on many machines, with the same bytes as on one.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _plan(plan: str, band_from: float, as_json: bool, **given: Any) -> None:
    """Write down what is to be done, as tasks that many machines can share.

    hyperacuity cluster plan photos -r -o larger --plan /nfs/plan
    hyperacuity cluster plan s3://bucket/in/ -o s3://bucket/out/ --plan s3://bucket/plan
    """
    from hyperacuity.cli.requests import read_request
    from hyperacuity.cluster.planning import PlanRequest, make_plan

    request = read_request({**given, "explain": False, "preview": given["preview"]})
    if given["output"] is None:
        raise UsageError("say where the results go: -o FOLDER")
    with printed_warnings():
        summary = make_plan(
            PlanRequest(
                request.inputs,
                given["output"],
                request.naming,
                request.template,
                given["recursive"],
                plan,
                given["force"],
                round(band_from * 1e6),
            )
        )
    if as_json:
        _print(json.dumps({"files": summary.files, "tasks": summary.tasks, "skipped": summary.skipped}))
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary.tasks.items())
    total = counted(sum(summary.tasks.values()), "task")
    _print(f"{counted(summary.files, 'file')}, {total} ({kinds or 'nothing to do'})")
    for source, reason in summary.whole:
        _print(f"{source}: one task, since {reason}")
    _print(f"run them with: hyperacuity cluster run {plan}")


def _give_options_of_upscale(function: Any) -> Any:
    """A function with the parameters of `hyperacuity upscale` that many machines can share, and its own."""
    hints = typing.get_type_hints(upscale.command, include_extras=True)
    left_out = ("as_json", "quiet", "jobs", "explain")
    own = [
        inspect.Parameter(
            "plan",
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[str, typer.Option("--plan", help="Folder for the plan, or its URL.")],
        ),
        inspect.Parameter(
            "band_from",
            inspect.Parameter.KEYWORD_ONLY,
            default=100.0,
            annotation=Annotated[
                float,
                typer.Option(metavar="MEGAPIXELS", min=0, help="Images of this size and more are split into bands."),
            ],
        ),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json),
    ]
    shared = [
        each.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in inspect.signature(upscale.command).parameters.items()
        if name not in left_out
    ]
    function.__signature__ = inspect.Signature([*shared, *own])
    function.__annotations__ = {each.name: each.annotation for each in [*shared, *own]}
    return function


app.command("plan")(_give_options_of_upscale(_plan))


@app.command("work")
def work(
    plan: PlanFolder,
    tasks: Annotated[
        str | None, typer.Option("--task", metavar="N", help="The task, or several: 17, 3-5, 1,4,9-12.")
    ] = None,
    following: Annotated[bool, typer.Option("--next", help="The first task that no worker has.")] = False,
    lease: Lease = 120,
    spool: Spool = None,
    same_cpu: SameCpu = False,
) -> None:
    """Do one task of a plan on this machine.

    It exits with 0 if the result is there, 1 if the task failed by itself, 75 if another worker may try.
    hyperacuity cluster work /nfs/plan --task 17
    hyperacuity cluster work /nfs/plan --next
    """
    from hyperacuity.cli.interruption import interruptible
    from hyperacuity.cluster.manifest import Plan
    from hyperacuity.cluster.runners.protocol import DONE, FAILED, RunSettings
    from hyperacuity.cluster.work import Worker

    if (tasks is None) != following:
        raise UsageError("give --task N, or --next")
    settings = RunSettings(lease_seconds=lease, spool=spool, same_cpu=same_cpu)
    code = 0
    with (
        interruptible() as interruption,
        Plan(plan) as opened,
        printed_warnings(),
        contextlib.ExitStack() as held,
    ):
        worker = held.enter_context(Worker(opened, settings, interruption.stop))
        reports: list[Report] = []
        if following:
            report = worker.work_on_next()
            if report is None:
                _print("no task is left that no worker has")
                raise typer.Exit(_TRY_AGAIN)
            reports.append(report)
        for number in [] if tasks is None else _read_numbers(tasks):
            if interruption.stop.is_set():
                break
            reports.append(worker.work_on(number, take=True))
        for report in reports:
            _print_report(report)
        states = {report.state for report in reports}
        code = interruption.code or (1 if FAILED in states else 0 if states <= {DONE} else _TRY_AGAIN)
    raise typer.Exit(code)


def _run(
    plan: PlanFolder,
    on: On = "local",
    workers: Count = None,
    lease: Lease = 120,
    spool: Spool = None,
    same_cpu: SameCpu = False,
    address: Address = None,
    options: Sbatch = None,
    tasks_per_job: TasksPerJob = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run all tasks of a plan that are not done; the same command resumes after any interruption.

    hyperacuity cluster run /nfs/plan --on local --workers 4
    hyperacuity cluster run /nfs/plan --on ray --address head:6379
    hyperacuity cluster run /nfs/plan --on slurm --sbatch --partition=long --sbatch --time=4:00:00
    """
    from hyperacuity.cluster.runners.protocol import RunSettings

    if on not in RUNNERS:
        raise UsageError(f"--on {on}: give one of {', '.join(RUNNERS)}")
    settings = RunSettings(
        workers, lease, spool, same_cpu, _read_more(on, address, options, tasks_per_job, detach or dry_run)
    )
    if detach or dry_run:
        _submit(plan, settings, dry_run=dry_run)
        return
    raise typer.Exit(_drive(plan, on, settings, as_json=as_json, quiet=quiet))


app.command("run")(_run)
app.command("resume", help="The same as run.")(_run)


def _read_more(
    on: str, address: str | None, options: list[str] | None, tasks_per_job: int | None, submitting: bool
) -> dict[str, str]:
    """The options of one runner."""
    if address is not None and on != "ray":
        raise UsageError("--address is that of a Ray cluster: add --on ray")
    if on != "slurm" and (options or tasks_per_job is not None or submitting):
        raise UsageError("--sbatch, --tasks-per-job, --detach and --dry-run are for Slurm: add --on slurm")
    wrong = next((each for each in options or [] if not each.startswith("-") or "\n" in each), None)
    if wrong is not None:
        raise UsageError(f"--sbatch {wrong}: give an option such as --partition=long")
    found = {"address": address, "sbatch": "\n".join(options or []), "tasks_per_job": tasks_per_job}
    return {name: str(value) for name, value in found.items() if value}


def _submit(location: str, settings: RunSettings, *, dry_run: bool) -> None:
    """Submit all jobs of Slurm, or print their scripts."""
    from hyperacuity.cluster.manifest import Plan
    from hyperacuity.cluster.runners import slurm

    with Plan(location) as plan:
        if dry_run:
            for script in slurm.scripts(plan, settings):
                _print(script)
            return
        jobs = slurm.submit(plan, settings)
    _print(f"submitted: {', '.join(map(str, jobs)) or 'nothing, all is done'}")
    _print(f"look at it with: hyperacuity cluster status {location}")


def _drive(location: str, on: str, settings: RunSettings, *, as_json: bool, quiet: bool) -> int:
    """Run a plan and show what becomes of its tasks. Returns the exit code."""
    from hyperacuity.cli.interruption import interruptible
    from hyperacuity.cluster.driving import run_plan
    from hyperacuity.cluster.manifest import Plan
    from hyperacuity.cluster.runners.table import RUNNERS as TABLE
    from hyperacuity.task import Stopped

    def show(report: Report) -> None:
        if not (quiet or as_json):
            _print_report(report)

    with interruptible() as interruption, Plan(location) as plan:
        try:
            summary = run_plan(plan, TABLE[on], settings, interruption.stop, show)
        except Stopped:
            return interruption.code
        except Unreachable as error:
            raise Unreachable(f"{error.message}; what is done stays, and the same command resumes") from error
        count = len(plan)
    _summarise(summary, count, as_json=as_json)
    return 1 if summary.failed else 0


def _summarise(summary: RunSummary, count: int, *, as_json: bool) -> None:
    errors = [each for report in summary.failed for each in report.outcomes if each.error is not None]
    if as_json:
        failed = [{"source": each.source, "reason": describe(each.error or "")} for each in errors]
        _print(json.dumps({"tasks": count, "done": summary.done, "before": summary.before, "failed": failed}))
        return
    earlier = f" ({counted(summary.before, 'was', 'were')} done before)" if summary.before else ""
    _print(f"{summary.done} of {counted(count, 'task')} {'is' if count == 1 else 'are'} done{earlier}")
    for each in errors:
        print_line(escape_unprintable(f"failed: {_about(each.source, describe(each.error or ''))}"), sys.stderr)


@app.command("status")
def status(plan: PlanFolder, as_json: Json = False) -> None:
    """Show how far a plan is: tasks done, running, failed and left."""
    from hyperacuity.cluster.manifest import Plan
    from hyperacuity.cluster.progress import look

    with Plan(plan) as opened:
        found = look(opened)
    if as_json:
        _print(json.dumps(found.to_json()))
        return
    states = f"{found.done} done, {found.running} running, {found.failed} failed, {found.left} left"
    _print(f"{counted(found.tasks, 'task')}: {states}")
    if found.per_hour:
        _print(f"{counted(found.per_hour, 'file')} an hour")
    if found.slowest is not None:
        _print(f"longest at work: task {found.slowest}, about {found.slowest_seconds:.0f} s")
    for report in found.failures:
        _print_report(report)


@app.command("check")
def check(plan: PlanFolder, spool: Spool = None, as_json: Json = False) -> None:
    """Check whether this machine can work on a plan, and agrees with the others; run it on each of them.

    It exits with 1 if something is wrong.
    """
    from pathlib import Path

    from hyperacuity.cluster.checks import ERROR, check_node
    from hyperacuity.cluster.manifest import Plan

    with Plan(plan) as opened:
        findings = check_node(opened, None if spool is None else Path(spool))
    if as_json:
        _print(json.dumps([each.to_json() for each in findings]))
    else:
        for each in findings:
            _print(f"{each.level}: {each.text}")
    raise typer.Exit(int(any(each.level == ERROR for each in findings)))


def _print_report(report: Report) -> None:
    label = f"task {report.number}: {report.state}"
    _print(f"{label}, {report.reason}" if report.reason else label)
    for each in report.outcomes:
        if each.error is not None:
            print_line(escape_unprintable(f"  {_about(each.source, describe(each.error))}"), sys.stderr)
        for lost in each.lost:
            print_line(escape_unprintable(f"  {each.source}: warning: {describe(lost)}"), sys.stderr)


def _about(source: str, text: str) -> str:
    """A message about a source, which it may name itself."""
    return text if text.startswith(source) else f"{source}: {text}"


def _read_numbers(text: str) -> list[int]:
    """The numbers of --task, such as 1,4,9-12."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise UsageError(f"--task {text}: give numbers such as 17, 3-5, or 1,4,9-12")
        found += range(int(first), int(last if dash else first) + 1)
    return found


def _print(text: str) -> None:
    print_line(escape_unprintable(text), sys.stdout)
