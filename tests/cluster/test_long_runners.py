"""Workers, nodes, drivers and heads of Ray and Slurm killed at random times: `make test-long`, minutes.

Results are in benchmarks/results/cluster_runner_kills.csv.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hyperacuity.cluster import planning
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.progress import look
from hyperacuity.size import Size
from tests.cluster import ray_nodes, slurm
from tests.cluster.images import alone, left_over, planned, written
from tests.cluster.plans import FAST

pytestmark = [pytest.mark.long, pytest.mark.cluster]

# A CSV file to which results are appended.
RESULTS = os.environ.get("HYPERACUITY_CLUSTER_RESULTS", "")
ROUNDS = int(os.environ.get("HYPERACUITY_CLUSTER_ROUNDS", "20"))
# Seconds within which a victim is killed, and for a run to end at most.
_MOMENTS, _PATIENCE = 15.0, 1800
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images and a large one, and in "one" what one machine makes of them."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("in", "one"):
        (folder / name).mkdir()
    for n in range(7):
        written(folder / "in" / f"{n}.png", height=300 + n, width=400)
    written(folder / "in" / "large.png", 4, height=900, width=400)
    for path in (folder / "in").iterdir():
        alone(path, folder / "one" / path.name, FAST, Size(2))
    return folder


def plan_of(sources: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plan with a task for each small image, and bands for the large one. Returns its location."""
    monkeypatch.setattr(planning, "_SECONDS", 0.0)
    (folder / "out").mkdir()
    files = sorted((sources / "in").iterdir())
    plan, _ = planned(files, folder / "out", folder / "plan", FAST, Size(2), band_from=900 * 400)
    plan.close()
    return plan.location


def finish(sources: Path, folder: Path, command: list[str], environment: dict[str, str]) -> None:
    """Run a plan again, after which everything is as on one machine and nothing else is left."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (sources / "one").iterdir():
        assert (folder / "out" / path.name).read_bytes() == path.read_bytes()
    assert {path.name for path in (folder / "out").iterdir()} == {path.name for path in (sources / "one").iterdir()}
    with Plan(str(folder / "plan")) as plan:
        assert not list(left_over(plan))


def begin(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "driver.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)


def done_before(location: str) -> int:
    with Plan(location) as plan:
        return look(plan).done


def record(engine: str, victim: str, number: int, *values: object) -> None:
    if RESULTS:
        with Path(RESULTS).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow([f"{engine} {victim}", number, *values])


def kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


def with_words(*words: str) -> list[psutil.Process]:
    """The processes in whose command lines all these words are."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            line = " ".join(each.cmdline())
            if each.pid != os.getpid() and all(word in line for word in words):
                found.append(each)
    return found


def on_node(name: str, configuration: str) -> list[psutil.Process]:
    """The jobs on one node of Slurm, and the processes that started them."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            own = each.environ()
            if own.get("SLURMD_NODENAME") == name and own.get("SLURM_CONF") == configuration:
                found += [*(parent for parent in each.parents() if "slurmstepd" in parent.name()), each]
    return found


@pytest.fixture(scope="module")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    if reason := slurm.missing():
        pytest.skip(reason)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    with slurm.running(tmp_path_factory.mktemp("slurm"), environment, node_timeout=30) as started:
        yield started


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("victim", ["worker", "driver", "head", "node"])
def test_a_kill_in_slurm_loses_nothing(
    slurm_cluster: slurm.Slurm,
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    victim: str,
    number: int,
) -> None:
    chance = random.Random(f"slurm {victim} {number}")
    location = plan_of(sources, tmp_path, monkeypatch)
    command = [sys.executable, "-m", "hyperacuity", "cluster", "run", location, "--on", "slurm", "--tasks-per-job", "2"]
    environment = slurm_cluster.environment
    driver = begin(command, environment, tmp_path)
    moment = chance.uniform(0, _MOMENTS)
    time.sleep(moment)
    if victim == "worker":
        kill(with_words("cluster work", location)[:1])
    elif victim == "driver":
        driver.kill()
    elif victim == "head":
        slurm_cluster.kill("slurmctld")
        time.sleep(3)
        slurm_cluster.start("slurmctld")
        # A controller that forgot its newest jobs finds them on the nodes, and drains these until they are resumed.
        while driver.poll() is None:
            with contextlib.suppress(subprocess.CalledProcessError):
                if "drain" in slurm_cluster.call("sinfo", "--noheader", "--format=%T"):
                    slurm_cluster.call("scontrol", "update", "NodeName=n1,n2", "State=RESUME")
            time.sleep(1)
    else:
        jobs = on_node("n1", environment["SLURM_CONF"])
        slurm_cluster.kill("n1")
        kill(jobs)
    driver.wait(timeout=_PATIENCE)
    before = done_before(location)
    if victim == "node":
        slurm_cluster.start("n1")
    finish(sources, tmp_path, command, environment)
    slurm_cluster.wait_until_idle()
    record("slurm", victim, number, round(moment, 2), before)


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("victim", ["worker", "driver", "node"])
def test_a_kill_in_ray_loses_nothing(
    ray_cluster: ray_nodes.Nodes,
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    victim: str,
    number: int,
) -> None:
    chance = random.Random(f"ray {victim} {number}")
    location = plan_of(sources, tmp_path, monkeypatch)
    command = ray_cluster.command(location)
    driver = begin(command, ray_cluster.environment, tmp_path)
    moment = chance.uniform(0, _MOMENTS)
    time.sleep(moment)
    if victim == "worker":
        kill(with_words("ray::_work")[:1])
    elif victim == "driver":
        driver.kill()
    else:
        ray_cluster.ask("kill")
    driver.wait(timeout=_PATIENCE)
    before = done_before(location)
    if victim == "node":
        ray_cluster.ask("add")
    finish(sources, tmp_path, command, ray_cluster.environment)
    record("ray", victim, number, round(moment, 2), before)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[ray_nodes.Nodes]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with ray_nodes.running() as nodes:
        yield nodes


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_head_of_ray_that_is_killed_loses_nothing(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The cluster dies with its head; the next one resumes."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    chance = random.Random(f"ray head {number}")
    location = plan_of(sources, tmp_path, monkeypatch)
    with ray_nodes.running() as nodes:
        driver = begin(nodes.command(location), nodes.environment, tmp_path)
        moment = chance.uniform(0, _MOMENTS)
        time.sleep(moment)
        kill(
            [each for each in psutil.Process(nodes.process.pid).children(recursive=True) if "gcs_server" in each.name()]
        )
        driver.wait(timeout=_PATIENCE)
    before = done_before(location)
    with ray_nodes.running() as nodes:
        finish(sources, tmp_path, nodes.command(location), nodes.environment)
    record("ray", "head", number, round(moment, 2), before)


RECIPE = """
steps = 3000
validate_every = 50
[model]
name = "tiny-x2"
architecture = "fsrcnn"
config = { scale = 2, d = 8, s = 4, m = 1 }
licence = "CC0-1.0"
trained_on = "noise"
paper = "none"
[data]
train = ["in"]
validation = ["validation"]
reports = ["validation"]
patch = 8
batch = 2
[losses]
l1 = 1.0
"""


def test_a_training_on_two_nodes_resumes_when_it_is_queued_again(slurm_cluster: slurm.Slurm, tmp_path: Path) -> None:
    for name in ("in", "validation"):
        (tmp_path / name).mkdir()
        written(tmp_path / name / "a.png", height=48, width=48)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    given = ["train", "tiny.toml", "--slurm", "2", "--device", "cpu"]
    subprocess.run([sys.executable, "-m", "hyperacuity", *given], cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "runs" / "tiny-x2"
    submitted = subprocess.run(
        ["sbatch", "--parsable", str(folder / "train.sbatch")],
        cwd=tmp_path,
        env=slurm_cluster.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    job = submitted.stdout.strip()
    wait(lambda: any(folder.rglob("step-*.pt")), folder)
    slurm_cluster.call("scontrol", "requeue", job)
    wait((folder / "tiny-x2.safetensors").exists, folder)
    wait(lambda: not slurm_cluster.call("squeue", "--noheader"), folder)
    assert "Restarts=1" in slurm_cluster.call("scontrol", "show", "job", job)


def wait(found: Callable[[], bool], folder: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not found():
        assert time.monotonic() < end, "\n".join(path.read_text()[-3000:] for path in folder.glob("slurm-*.out"))
        time.sleep(0.5)
