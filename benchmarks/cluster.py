"""The memory of a driver by the number of planned files, and what a run over processes costs more than one machine.

    python benchmarks/cluster.py memory      peak memory of `plan` and of `run`, from 1,000 to 100,000 files
    python benchmarks/cluster.py overhead    processor time of tasks of about 10 s: two processes against two workers

Results are in benchmarks/results/cluster_local.csv.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from record import save

from hyperacuity.cluster import planning
from hyperacuity.task import ImageOptions, Task
from hyperacuity.tasks import Naming

_COUNTS = (1_000, 10_000, 100_000)
# Runs in a process of its own, so that the peak is its own.
_PLAN = """
import resource, sys
from hyperacuity.cluster.planning import PlanRequest, make_plan
from hyperacuity.task import ImageOptions, Options, Task
from hyperacuity.tasks import Naming
folder = sys.argv[1]
template = Task("", "", options=Options(model="fast"), image=ImageOptions())
make_plan(PlanRequest([folder + "/in"], folder + "/out", Naming(None, "-x2", None), template, True, folder + "/plan"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_RUN = """
import resource, sys
from hyperacuity.cluster.driving import run_plan
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import DONE, Report
class Runner:
    def run(self, plan, numbers, settings, stop):
        for number in numbers:
            yield Report(number, DONE)
with Plan(sys.argv[1] + "/plan") as plan:
    run_plan(plan, Runner())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure_memory() -> None:
    """Plan and drive folders of small files; the runner does nothing."""
    for count in _COUNTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for n in range(count):
                below = folder / "in" / f"{n // 1000:03}"
                below.mkdir(parents=True, exist_ok=True)
                if n % 1000 == 0:  # file systems limit the number of links to a file
                    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(below / f"{n}.png")
                else:
                    os.link(below / f"{n - n % 1000}.png", below / f"{n}.png")
            for what, code in (("plan", _PLAN), ("run", _RUN)):
                begun = time.perf_counter()
                peak = int(subprocess.check_output([sys.executable, "-c", code, name])) / 1024
                seconds = time.perf_counter() - begun
                _save(f"{what} of {count} files", mib=round(peak, 1), seconds=round(seconds, 1))


def measure_overhead(side: int, files: int) -> None:
    """Upscale the same images by two processes of one core each, and by two workers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
        for n in range(files):
            Image.fromarray(np.roll(noise, n, 0)).save(folder / "in" / f"{n}.png", compress_level=1)
        command = [sys.executable, "-m", "hyperacuity"]
        planning._SECONDS = 3.0  # tasks of one image each, which take 5 to 10 s
        template = Task("", "", image=ImageOptions())
        places = str(folder / "many"), Naming(None, "-x2", None), template, True, str(folder / "plan")
        planning.make_plan(planning.PlanRequest([str(folder / "in")], *places))
        names = [str(path) for path in sorted((folder / "in").iterdir())]
        halves = [[*command, "upscale", *names[n::2], "-o", f"{folder / 'one'}/", "-q"] for n in range(2)]
        alone = _timed([["taskset", "-c", str(n), *half] for n, half in enumerate(halves)])
        many = _timed([[*command, "cluster", "run", str(folder / "plan"), "--workers", "2", "-q"]])
        for what, (seconds, cpu) in {"two processes": alone, "two workers": many}.items():
            _save(f"{what}, {files} images of {side} x {side}", seconds=round(seconds, 1), cpu_seconds=round(cpu, 1))
        print(json.dumps({"overhead of processor time": many[1] / alone[1] - 1, "of time": many[0] / alone[0] - 1}))


def _save(what: str, **values: float) -> None:
    save("cluster_local", [{"what": what, "mib": "", "seconds": "", "cpu_seconds": ""} | values], key="what")


def _timed(commands: list[list[str]]) -> tuple[float, float]:
    """Seconds and processor seconds of commands at the same time."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait() for process in processes] == [0] * len(commands)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["memory", "overhead"])
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--files", type=int, default=8)
    given = parser.parse_args()
    if given.what == "memory":
        measure_memory()
    else:
        measure_overhead(given.side, given.files)
