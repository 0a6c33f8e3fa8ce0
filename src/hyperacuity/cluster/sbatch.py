"""Batch scripts for Slurm, and the programs that submit them and follow them: `sbatch`, `squeue`, `scontrol`."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hyperacuity.errors import MissingDependency, Unreachable, UsageError

# Seconds that one of Slurm's programs may take: it waits for a controller that is busy or restarts.
_PATIENCE = 120.0


class SlurmLimits(NamedTuple):
    """What a cluster allows.

    Attributes:
        array: The most elements of an array.
        jobs: The most jobs that may exist, each element counted.
    """

    array: int
    jobs: int


def make_script(commands: Sequence[str], name: str, *directives: str) -> str:
    """Return a batch script.

    Args:
        commands: Its lines.
        name: Of the job.
        *directives: More options of sbatch, such as "--array=0-9".

    Example:
        >>> print(make_script(["exec true"], "test", "--requeue"))
        #!/bin/bash
        #SBATCH --job-name=test
        #SBATCH --requeue
        exec true
        <BLANKLINE>
    """
    lines = ["#!/bin/bash", *(f"#SBATCH {each}" for each in (f"--job-name={name}", *directives)), *commands]
    return "\n".join(lines) + "\n"


def program() -> str:
    """Returns the words that start this program on a node, for a shell: the same Python is needed there."""
    return f"{shlex.quote(sys.executable)} -m hyperacuity"


def submit(script: str) -> int:
    """Submit a script. Returns the number of its job.

    Raises:
        UsageError: Slurm refuses it.
        Unreachable, MissingDependency: As `call` does.
    """
    return int(call(["sbatch", "--parsable"], script).split(";")[0])


def limits() -> SlurmLimits:
    """Return what the cluster allows.

    Raises:
        UsageError, Unreachable, MissingDependency: As `call` does.
    """
    found = {}
    for line in call(["scontrol", "show", "config"]).splitlines():
        name, _, value = line.partition("=")
        found[name.strip()] = value.strip()
    # Indices stay below MaxArraySize.
    return SlurmLimits(int(found.get("MaxArraySize", 1001)), int(found.get("MaxJobCount", 10000)))


def find_elements(name: str) -> dict[int, dict[int, str]]:
    """Return the elements of arrays that wait or run, and why they wait, by the number of the array's job.

    Args:
        name: Of the jobs; those of other users are left out.
    """
    found: dict[int, dict[int, str]] = {}
    for line in call(["squeue", "--me", "--noheader", "--array", f"--name={name}", "--format=%F|%K|%r"]).splitlines():
        job, element, reason = line.split("|", 2)
        found.setdefault(int(job), {})[int(element) if element.isdecimal() else 0] = reason
    return found


def release(elements: Mapping[int, Mapping[int, str]]) -> None:
    """Release what Slurm queued again and holds because a node did not start it; what people hold stays held."""
    for job, reasons in elements.items():
        for element, reason in reasons.items():
            if "requeued held" in reason:
                with contextlib.suppress(UsageError):  # it is not held any more
                    call(["scontrol", "release", f"{job}_{element}"])


def cancel(jobs: Sequence[int]) -> None:
    """End jobs; those that run get SIGTERM first."""
    if jobs:
        call(["scancel", *map(str, jobs)])


def call(command: Sequence[str], text: str | None = None) -> str:
    """Call one of Slurm's programs.

    Args:
        command: Its words.
        text: Its standard input.

    Returns:
        Its standard output.

    Raises:
        MissingDependency: It is not installed.
        Unreachable: The controller does not answer.
        UsageError: It refuses; the message is Slurm's.
    """
    try:
        done = subprocess.run(command, check=False, input=text, capture_output=True, text=True, timeout=_PATIENCE)
    except FileNotFoundError as error:
        raise MissingDependency(f"{command[0]} is not installed: run this where jobs of Slurm are submitted") from error
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{command[0]} did not answer in {_PATIENCE:.0f} s") from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"{command[0]} failed with {done.returncode}"
        if "unable to contact" in reason.lower() or "connection refused" in reason.lower():
            raise Unreachable(f"Slurm's controller does not answer: {reason}")
        raise UsageError(f"Slurm refuses: {reason}")
    return done.stdout
