"""Arrays of jobs in Slurm: each element does several tasks, since starting one costs seconds.

A job whose node is lost is queued again by Slurm. What became of the tasks is read from the store.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

from hyperacuity.cluster import sbatch
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import Report, RunSettings
from hyperacuity.cluster.work import find_report
from hyperacuity.counting import counted
from hyperacuity.errors import OTHER, Unreachable, UsageError, Use
from hyperacuity.task import Stop

# Tasks of an element, which take half a minute each, and seconds between two looks at the queue.
_TASKS, _POLL = 4, 5.0
# How often in a row the controller may not answer; each time takes minutes.
_MOST_FAILURES = 5


def run(plan: Plan, numbers: Sequence[int], settings: RunSettings, stop: Stop) -> Iterator[Report]:
    """See `Runner.run`. Jobs of an earlier run of this plan are waited for first."""
    left = dict.fromkeys(numbers)
    while left and not stop.is_set():
        earlier = sbatch.find_elements(job_name(plan))
        if not earlier:
            break
        sbatch.release(earlier)
        stop.wait(_poll(settings))
    arrays = {sbatch.submit(script): tasks for script, tasks in _arrays(plan, _undone(plan, left), settings)}
    done_before = set(left) - {number for tasks in arrays.values() for each in tasks for number in each}
    for number in sorted(done_before):
        yield find_report(plan, number)
    failures = 0
    while arrays:
        if stop.wait(_poll(settings)):
            sbatch.cancel(list(arrays))
            _wait(plan, settings)
            return
        try:
            queued = sbatch.find_elements(job_name(plan))
            sbatch.release(queued)
            failures = 0
        except Unreachable:
            failures += 1
            if failures == _MOST_FAILURES:
                raise
            continue
        for job, elements in list(arrays.items()):
            for index, tasks in enumerate(elements):
                if tasks and index not in queued.get(job, ()):
                    elements[index] = []
                    for number in tasks:
                        yield find_report(plan, number)
            if not any(elements):
                del arrays[job]


def submit(plan: Plan, settings: RunSettings) -> list[int]:
    """Submit all tasks that are not done and return at once; what needs others waits for them in the queue.

    Returns:
        The numbers of the jobs.

    Raises:
        UsageError: Slurm refuses, or does not allow that many.
        Unreachable, MissingDependency: There is no Slurm.
    """
    jobs: list[int] = []
    before: list[int] = []
    for numbers in plan.levels:
        left = _undone(plan, dict.fromkeys(numbers))
        submitted = [sbatch.submit(script) for script, _ in _arrays(plan, left, settings, before)]
        jobs += submitted
        before = submitted or before
    return jobs


def scripts(plan: Plan, settings: RunSettings) -> list[str]:
    """Return the scripts that `submit` would submit; JOBS stands for the numbers of the jobs before."""
    found: list[str] = []
    for level, numbers in enumerate(plan.levels):
        left = _undone(plan, dict.fromkeys(numbers))
        found += [script for script, _ in _arrays(plan, left, settings, ["JOBS"] if level and found else [])]
    return found


def job_name(plan: Plan) -> str:
    """Returns the name of all jobs of a plan."""
    return f"hyperacuity-{plan.digest}"


def _undone(plan: Plan, numbers: dict[int, None]) -> list[int]:
    return [number for number in numbers if find_report(plan, number).state != "done"]


def _arrays(
    plan: Plan, numbers: Sequence[int], settings: RunSettings, after: Sequence[int | str] = ()
) -> Iterator[tuple[str, list[list[int]]]]:
    """The scripts of some tasks that do not need each other, each with the tasks of its elements."""
    if not numbers:
        return
    allowed = sbatch.limits()
    each = _number(settings, "tasks_per_job", _TASKS)
    elements = [list(numbers[first : first + each]) for first in range(0, len(numbers), each)]
    if allowed.array < 2:
        raise UsageError("this Slurm allows no arrays of jobs (its MaxArraySize is below 2)")
    if len(elements) > allowed.jobs:
        least = -(-len(numbers) // allowed.jobs)
        raise UsageError(
            f"{counted(len(numbers), 'task')} in jobs of {each} are more than this Slurm allows "
            f"({counted(allowed.jobs, 'job')})",
            Use(tasks_per_job=least),
        )
    for first in range(0, len(elements), allowed.array - 1):
        part = elements[first : first + allowed.array - 1]
        yield _script(plan, part, settings, after), part


def _script(plan: Plan, elements: Sequence[Sequence[int]], settings: RunSettings, after: Sequence[int | str]) -> str:
    most = "" if settings.workers is None else f"%{settings.workers}"
    directives = [f"--array=0-{len(elements) - 1}{most}", "--requeue", "--open-mode=append"]
    if plan.store.local:
        directives.append(f"--output={plan.location}/slurm-%A_%a.out")
    if after:
        directives += [f"--dependency=afterany:{':'.join(map(str, after))}"]
    words = [f"--lease {settings.lease_seconds:g}"]
    if settings.spool is not None:
        words.append(f"--spool {shlex.quote(settings.spool)}")
    if settings.same_cpu:
        words.append("--same-cpu")
    commands = [
        f"tasks=({' '.join(_ranges(each) for each in elements)})",
        f"exec {sbatch.program()} cluster work {shlex.quote(plan.location)} "
        f'--task "${{tasks[$SLURM_ARRAY_TASK_ID]}}" {" ".join(words)}',
    ]
    return sbatch.make_script(commands, job_name(plan), *directives, *settings.more.get("sbatch", "").splitlines())


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers as `hyperacuity cluster work --task` takes them."""
    starts = [0, *(n for n in range(1, len(numbers)) if numbers[n] != numbers[n - 1] + 1), len(numbers)]
    parts = [(numbers[first], numbers[end - 1]) for first, end in pairwise(starts)]
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _wait(plan: Plan, settings: RunSettings) -> None:
    """Wait until the jobs of a plan have ended; those that do not end are Slurm's to kill."""
    while sbatch.find_elements(job_name(plan)):
        Stop().wait(_poll(settings))


def _poll(settings: RunSettings) -> float:
    return float(settings.more.get("poll", _POLL))


def _number(settings: RunSettings, name: str, default: int) -> int:
    text = settings.more.get(name, str(default))
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{text!r} is not a number of tasks", Use(**{name: OTHER}))
    return int(text)
