"""Arrays of jobs in Slurm, on two nodes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperacuity.cluster import sbatch
from hyperacuity.cluster.driving import run_plan
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners import slurm as runner
from hyperacuity.cluster.runners.protocol import Report, RunSettings
from hyperacuity.errors import MissingDependency, Unreachable, UsageError
from hyperacuity.size import Size
from hyperacuity.task import Options, Stop, Stopped
from tests.cluster import slurm
from tests.cluster.images import alone, left_over, planned, written

FAST = Options(model="fsrcnn", engine="onnxruntime")
SETTINGS = RunSettings(more={"poll": "0.3", "tasks_per_job": "2"})
SOURCE = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    if reason := slurm.missing():
        pytest.skip(reason)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    with slurm.running(tmp_path_factory.mktemp("slurm"), environment) as started:
        yield started


@pytest.fixture
def here(cluster: slurm.Slurm, monkeypatch: pytest.MonkeyPatch) -> slurm.Slurm:
    """The cluster, for the programs that this process starts."""
    for name in ("PATH", "SLURM_CONF", "PYTHONPATH", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, cluster.environment[name])
    return cluster


def batch(folder: Path) -> Plan:
    """Small files, and one image in bands that needs no preparation."""
    sources = [written(folder / f"{n}.png", height=60 + n) for n in range(2)]
    sources.append(written(folder / "large.tif", height=400))
    (folder / "out").mkdir()
    plan, _ = planned(sources, folder / "out", folder / "plan", FAST, Size(2), band_from=400 * 50)
    return plan


def check_results(folder: Path) -> None:
    for path in (folder / "0.png", folder / "1.png", folder / "large.tif"):
        wanted = folder / f"wanted{path.suffix}"
        alone(path, wanted, FAST, Size(2))
        assert (folder / "out" / path.name).read_bytes() == wanted.read_bytes()
        wanted.unlink()


def test_a_batch_ends_with_the_files_of_one_machine(here: slurm.Slurm, tmp_path: Path) -> None:
    """One file is damaged at first: it is named, and all others are done."""
    reports: list[Report] = []
    damaged = tmp_path / "0.png"
    with batch(tmp_path) as plan:
        whole, times = damaged.read_bytes(), os.stat(damaged)
        damaged.write_bytes(whole[:-200] + bytes(200))
        os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))  # it counts as unchanged
        summary = run_plan(plan, runner, SETTINGS, observe=reports.append)
        (failed,) = summary.failed
        assert any("0.png is damaged" in str(each.error) for each in failed.outcomes)
        assert (tmp_path / "out" / "large.tif").exists()
        assert len(reports) == len(plan)
        damaged.write_bytes(whole)
        os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))
        summary = run_plan(plan, runner, SETTINGS)
        assert not summary.failed, here.log()
        assert summary.before == len(plan) - 1
        assert not list(left_over(plan))
        assert run_plan(plan, runner, SETTINGS).before == len(plan)
    check_results(tmp_path)


def test_all_jobs_can_be_submitted_at_once(here: slurm.Slurm, tmp_path: Path) -> None:
    with batch(tmp_path) as plan:
        first, second = runner.scripts(plan, SETTINGS)  # what needs nothing; what joins the bands
        assert "--dependency" not in first
        assert "#SBATCH --dependency=afterany:JOBS" in second
        assert len(runner.submit(plan, SETTINGS)) == 2
        # A run waits for the jobs of an earlier one and submits nothing itself.
        summary = run_plan(plan, runner, SETTINGS)
        assert not summary.failed, here.log()
    check_results(tmp_path)


def test_a_stop_ends_the_jobs_and_the_next_run_resumes(here: slurm.Slurm, tmp_path: Path) -> None:
    stop = Stop()
    threading.Timer(1.0, stop.set).start()
    with batch(tmp_path) as plan:
        try:
            run_plan(plan, runner, SETTINGS, stop)
        except Stopped:
            assert not sbatch.find_elements(runner.job_name(plan))
        assert not run_plan(plan, runner, SETTINGS).failed
    check_results(tmp_path)


def test_the_command_prints_scripts_and_submits_nothing(here: slurm.Slurm, tmp_path: Path) -> None:
    with batch(tmp_path) as plan:
        command = [sys.executable, "-m", "hyperacuity", "cluster", "run", plan.location, "--on", "slurm", "--dry-run"]
        done = subprocess.run([*command, "--sbatch", "--partition=all"], capture_output=True, text=True, check=True)
        assert done.stdout.count("#!/bin/bash") == 2
        assert "#SBATCH --requeue" in done.stdout
        assert "#SBATCH --partition=all" in done.stdout
        assert f"cluster work {plan.location} --task" in done.stdout
        assert not sbatch.find_elements(runner.job_name(plan))


class Limits:
    """A cluster that allows little, without Slurm."""

    def __init__(self, array: int, jobs: int) -> None:
        self.found = sbatch.SlurmLimits(array, jobs)

    def __call__(self) -> sbatch.SlurmLimits:
        return self.found


def test_arrays_stay_below_what_slurm_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with batch(tmp_path) as plan:
        monkeypatch.setattr(sbatch, "limits", Limits(6, 1000))
        made = runner.scripts(plan, RunSettings(more={"tasks_per_job": "1"}, workers=3))
        assert all("--array=0-" in script for script in made)
        assert max(int(script.split("--array=0-")[1].split("%")[0]) for script in made) <= 4
        assert "%3" in made[0]
        monkeypatch.setattr(sbatch, "limits", Limits(1001, 1))
        with pytest.raises(UsageError, match="more than this Slurm allows") as caught:
            runner.scripts(plan, RunSettings(more={"tasks_per_job": "1"}))
        assert "tasks_per_job" in str(caught.value)
        monkeypatch.setattr(sbatch, "limits", Limits(1, 1000))
        with pytest.raises(UsageError, match="allows no arrays"):
            runner.scripts(plan, RunSettings())
        with pytest.raises(UsageError, match="not a number of tasks"):
            runner.scripts(plan, RunSettings(more={"tasks_per_job": "many"}))


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ("echo 'sbatch: error: invalid partition specified: x' >&2; exit 1", UsageError, "invalid partition"),
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", Unreachable, "not answer"),
    ],
)
def test_what_slurm_says_is_passed_on(
    program: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name != "posix":
        pytest.skip("a shell script stands for sbatch")
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(error, match=message):
        sbatch.submit("")


def test_without_slurm_the_error_says_where_to_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="sbatch is not installed"):
        sbatch.submit("")
