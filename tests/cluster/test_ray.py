"""Tasks on a Ray cluster of two nodes of one core, on this machine. One test, since starting Ray takes long."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperacuity.cluster.runners import ray
from hyperacuity.cluster.runners.protocol import FAILED, Report, RunSettings
from hyperacuity.cluster.work import is_done
from hyperacuity.size import Size
from hyperacuity.task import Options
from tests.cluster import ray_nodes
from tests.cluster.images import alone, left_over, planned, written

FAST = Options(model="fsrcnn", engine="onnxruntime")

pytestmark = pytest.mark.cluster


def test_a_batch_ends_with_the_files_of_one_machine(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    sources = [written(tmp_path / f"{n}.png", height=60 + n) for n in range(3)]
    sources.append(written(tmp_path / "large.png", height=400))
    (tmp_path / "out").mkdir()
    plan, _ = planned(sources, tmp_path / "out", tmp_path / "plan", FAST, Size(2), band_from=400 * 50)
    # It fails by itself: its size and its time stay, so that it counts as unchanged.
    damaged = tmp_path / "0.png"
    whole, times = damaged.read_bytes(), os.stat(damaged)
    with plan, ray_nodes.running() as nodes:
        damaged.write_bytes(whole[:-200] + bytes(200))
        os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))
        done = nodes.cluster(plan.location, "--json")
        assert done.returncode == 1, done.stderr
        (failed,) = json.loads(done.stdout)["failed"]
        assert failed["source"] == str(damaged)
        assert "is damaged" in failed["reason"]
        assert "RAY_AUTH_MODE" in done.stderr  # a cluster that anyone may use

        damaged.write_bytes(whole)
        os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))
        done = nodes.cluster(plan.location, "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["done"], found["before"]) == (len(plan), len(plan) - 1)
        assert all(is_done(plan, number) for number in range(len(plan)))
        assert not list(left_over(plan))
    for path in sources:
        alone(path, tmp_path / "wanted.png", FAST, Size(2))
        assert (tmp_path / "out" / path.name).read_bytes() == (tmp_path / "wanted.png").read_bytes()
        (tmp_path / "wanted.png").unlink()


def test_a_cluster_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    plan, _ = planned([written(tmp_path / "a.png")], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    plan.close()
    command = ["cluster", "run", str(tmp_path / "plan"), "--on", "ray", "--address", "127.0.0.1:1"]
    done = subprocess.run([sys.executable, "-m", "hyperacuity", *command], capture_output=True, text=True)
    assert done.returncode == 1
    assert "the Ray cluster at 127.0.0.1:1 does not answer" in done.stderr


def test_a_node_with_another_version_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on a node; it does not import Ray."""
    plan, _ = planned([written(tmp_path / "a.png")], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    plan.close()
    monkeypatch.setattr("hyperacuity.__version__", "9.9")
    monkeypatch.setattr(ray, "_worker", {})
    report = Report.from_json(ray._work(str(tmp_path / "plan"), RunSettings().to_json(), 0))
    assert report.state == FAILED
    assert "all machines and the plan need the same version" in str(report.outcomes[0].error)
    assert not (tmp_path / "b.png").exists()
