"""Workers, nodes, drivers and heads of Ray and Slurm killed at random times: `make test-long`, minutes.

Results are in benchmarks/results/cluster_kills.csv.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("av")

from tests.cluster import ray_nodes, slurm
from tests.cluster.images import written
from tests.cluster.kills import SEEDS, Round, Sources, command, environment, kill_one, play, running_command

pytestmark = [pytest.mark.long, pytest.mark.cluster]

# Seconds for a training to end.
_PATIENCE = 1800


def made(factory: pytest.TempPathFactory) -> Sources:
    return Sources.made(factory.mktemp("sources"), "large.tif")


@pytest.fixture(scope="module")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    if reason := slurm.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    with slurm.running(folder, environment(), node_timeout=30, message_timeout=10) as started:
        yield started


@pytest.fixture(scope="module")
def slurm_sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return made(tmp_path_factory)


def on_node(name: str, configuration: str) -> list[psutil.Process]:
    """The jobs on one node of Slurm, and the processes that started them."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            own = each.environ()
            if own.get("SLURMD_NODENAME") == name and own.get("SLURM_CONF") == configuration:
                found += [*(parent for parent in each.parents() if "slurmstepd" in parent.name()), each]
    return found


def kill_all(processes: list[psutil.Process]) -> None:
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", ["worker", "driver", "head", "node"])
def test_a_kill_in_slurm_loses_nothing(
    slurm_cluster: slurm.Slurm, slurm_sources: Sources, tmp_path: Path, victim: str, seed: int
) -> None:
    cluster, own = slurm_cluster, slurm_cluster.environment

    def kill(played: Round, driver: subprocess.Popen[bytes], chance: random.Random) -> bool:
        if victim == "worker":
            return kill_one(running_command(f"cluster work {played.location}", psutil.process_iter()), chance)
        if victim == "driver":
            driver.kill()
        elif victim == "head":
            cluster.kill("slurmctld")
        else:
            jobs = on_node("n1", own["SLURM_CONF"])
            cluster.kill("n1")
            kill_all(jobs)
        return True

    def mend(played: Round, driver: subprocess.Popen[bytes]) -> None:
        if victim == "head":
            time.sleep(1)
            cluster.start("slurmctld")
        elif victim == "node":  # what the controller finds by itself after SlurmdTimeout
            cluster.call("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=killed")
        # A controller that forgot its newest jobs, or whose node was late, drains nodes until they are resumed.
        while driver.poll() is None:
            with contextlib.suppress(subprocess.CalledProcessError):
                if victim != "node" and "drain" in cluster.call("sinfo", "--noheader", "--format=%T"):
                    cluster.resume()
            time.sleep(0.5)
        if victim == "node":
            cluster.start("n1")

    play(
        f"Slurm, {victim}",
        seed,
        lambda attempt: Round(
            slurm_sources, tmp_path / str(attempt), command("--on", "slurm", "--tasks-per-job", "3"), own
        ),
        kill,
        mend,
    )
    cluster.wait_until_idle()


class RayCluster:
    """A cluster of Ray that is started when it is needed."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self._nodes: ray_nodes.Nodes | None = None

    @property
    def nodes(self) -> ray_nodes.Nodes:
        if self._nodes is None:
            self._nodes = self._held.enter_context(ray_nodes.running(environment()))
        return self._nodes

    def end(self) -> None:
        self._nodes = None
        self._held.close()


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RayCluster]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    cluster = RayCluster()
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def ray_sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return made(tmp_path_factory)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", ["worker", "driver", "node", "head"])
def test_a_kill_in_ray_loses_nothing(
    ray_cluster: RayCluster, ray_sources: Sources, tmp_path: Path, victim: str, seed: int
) -> None:
    def begin(attempt: int) -> Round:
        nodes = ray_cluster.nodes
        words = command("--on", "ray", "--address", nodes.address)
        return Round(ray_sources, tmp_path / str(attempt), words, nodes.environment)

    def kill(played: Round, driver: subprocess.Popen[bytes], chance: random.Random) -> bool:
        below = psutil.Process(ray_cluster.nodes.process.pid).children(recursive=True)
        if victim == "worker":
            return kill_one(running_command("ray::_work", below), chance)
        if victim == "driver":
            driver.kill()
        elif victim == "node":
            ray_cluster.nodes.ask("kill")
        else:
            kill_all([each for each in below if "gcs_server" in each.name()])
        return True

    def mend(played: Round, driver: subprocess.Popen[bytes]) -> None:
        driver.wait(timeout=_PATIENCE)
        if victim == "node":
            ray_cluster.nodes.ask("add")
        elif victim == "head":  # the cluster is gone with it; the next one resumes
            ray_cluster.end()
            played.command = command("--on", "ray", "--address", ray_cluster.nodes.address)

    try:
        play(f"Ray, {victim}", seed, begin, kill, mend)
    except BaseException:
        ray_cluster.end()  # the next round needs a whole one
        raise


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
