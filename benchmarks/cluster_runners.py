"""What Ray and Slurm cost: their start, and a task that does nothing, on two nodes of one core on this machine.

    python benchmarks/cluster_runners.py

Tasks whose results are there do nothing, so a run over them is only the runner's work. Results are in
benchmarks/results/cluster_runners.csv.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from record import save

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.cluster import ray_nodes  # noqa: E402
from tests.cluster import slurm as slurm_nodes  # noqa: E402

from hyperacuity.cluster import planning  # noqa: E402
from hyperacuity.cluster.manifest import Plan  # noqa: E402
from hyperacuity.cluster.planning import PlanRequest, make_plan  # noqa: E402
from hyperacuity.cluster.runners import local, ray, slurm  # noqa: E402
from hyperacuity.cluster.runners.protocol import DONE, RunSettings  # noqa: E402
from hyperacuity.cluster.runners.protocol import Runner as RunnerProtocol  # noqa: E402
from hyperacuity.size import Size  # noqa: E402
from hyperacuity.task import Options, Stop, Task  # noqa: E402
from hyperacuity.tasks import Naming  # noqa: E402

_FEW = 4


def _plan(folder: Path, count: int) -> Plan:
    """A plan of tiny images, one a task, whose results are there."""
    for name in ("in", "out"):
        (folder / name).mkdir()
    for n in range(count):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "in" / f"{n}.png")
    planning._SECONDS = 0.0
    template = Task("", "", Size(2), Options(model="bicubic"))
    naming = Naming(None, "", None)
    make_plan(PlanRequest([str(folder / "in")], str(folder / "out"), naming, template, False, str(folder / "plan")))
    for n in range(count):
        (folder / "out" / f"{n}.png").write_bytes((folder / "in" / f"{n}.png").read_bytes())
    return Plan(str(folder / "plan"))


def _measure(runner: RunnerProtocol, more: dict[str, str], many: int) -> tuple[float, float]:
    """Seconds of a run over `_FEW` tasks, and of each further one of `many`; the first run is not counted."""
    seconds = []
    for count in (_FEW, _FEW, many):
        with tempfile.TemporaryDirectory() as name, _plan(Path(name), count) as plan:
            settings = RunSettings(workers=2, more=more)
            begun = time.perf_counter()
            assert all(report.state == DONE for report in runner.run(plan, range(count), settings, Stop()))
            seconds.append(time.perf_counter() - begun)
    return seconds[1], (seconds[2] - seconds[1]) / (many - _FEW)


def _row(name: str, start: float, measured: tuple[float, float]) -> dict[str, object]:
    return {
        "runner": name,
        "start_s": round(start, 1),
        "few_tasks_s": round(measured[0], 1),
        "task_ms": round(1000 * measured[1], 1),
    }


def main() -> None:
    """Measure each runner."""
    rows = [_row("local", 0.0, _measure(local, {}, 1000))]
    os.environ.update(PYTHONPATH=str(ROOT / "src"), OMP_NUM_THREADS="1")
    context = ray_nodes.running()
    begun = time.perf_counter()
    with context as nodes:
        start = time.perf_counter() - begun
        rows.append(_row("ray", start, _measure(ray, {"address": nodes.address}, 1000)))
    with tempfile.TemporaryDirectory() as name:
        begun = time.perf_counter()
        with slurm_nodes.running(Path(name), dict(os.environ)) as cluster:
            start = time.perf_counter() - begun
            os.environ.update(PATH=cluster.environment["PATH"], SLURM_CONF=cluster.environment["SLURM_CONF"])
            for each in (1, 4):
                more = {"poll": "0.2", "tasks_per_job": str(each)}
                rows.append(_row(f"slurm, {each} in a job", start, _measure(_Undone(), more, 44)))
    save("cluster_runners", rows)


class _Undone:
    """Slurm's runner, which leaves out tasks that are done, made to submit them all the same."""

    def run(self, plan, numbers, settings, stop):  # type: ignore[no-untyped-def]  # as `Runner.run`
        """See `Runner.run`."""
        slurm._undone = lambda plan, numbers: list(numbers)
        return slurm.run(plan, numbers, settings, stop)


if __name__ == "__main__":
    main()
