"""Workers and drivers killed at random times: `make test-long`, minutes.

Results are in benchmarks/results/cluster_kills.csv.
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

pytest.importorskip("av")

from hyperacuity.cluster import planning
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.progress import look
from tests.cluster.plans import files_below, lossless, on_one_machine, planned, template
from tests.video.videos import make, moving_frames

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL"),
]

# A CSV file to which results are appended.
RESULTS = os.environ.get("HYPERACUITY_CLUSTER_RESULTS", "")
ROUNDS = int(os.environ.get("HYPERACUITY_CLUSTER_ROUNDS", "20"))
_IMAGES = 6


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images and a video, and in "one" what one machine makes of them."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "in").mkdir()
    for n in range(_IMAGES):
        pixels = np.random.default_rng(n).integers(0, 255, (300, 400, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "in" / f"{n}.png")
    make(folder / "in" / "video.mkv", moving_frames(310), sounds=1)
    on_one_machine(str(folder / "in"), f"{folder / 'one'}/", template(video=lossless()))
    return folder


def begin(location: str) -> subprocess.Popen[str]:
    """A driver with two workers, in a process group of its own."""
    command = [sys.executable, "-m", "hyperacuity", "cluster", "run", location, "--workers", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            each for each in psutil.Process(process.pid).children() if "hyperacuity.cluster.worker" in each.cmdline()
        ]
    return []


def done_in(output: str) -> list[int]:
    """The tasks that a driver reported as done."""
    return [int(number) for number in re.findall(r"^task (\d+): done", output, re.MULTILINE)]


def record(what: str, number: int, **values: object) -> None:
    if RESULTS:
        with Path(RESULTS).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow([what, number, *values.values()])


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_a_kill_loses_nothing(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str, number: int
) -> None:
    monkeypatch.setattr(planning, "_SECONDS", 0.0)
    chance = random.Random(f"{victim} {number}")
    location = str(tmp_path / "plan")
    planned(str(sources / "in"), str(tmp_path / "out"), location, template(video=lossless()))
    with Plan(location) as plan:
        count = len(plan)
    process = begin(location)
    while not workers_of(process) and process.poll() is None:
        time.sleep(0.05)
    moment = chance.uniform(0, 10)
    time.sleep(moment)
    victims = workers_of(process)
    if victim == "driver":
        process.send_signal(signal.SIGKILL)
    elif victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            chance.choice(victims).kill()
    first, _ = process.communicate(timeout=1200)
    psutil.wait_procs(victims, timeout=600)  # those of a killed driver notice the end of their input
    if victim == "worker":
        assert process.returncode == 0, first
    with Plan(location) as plan:
        before = look(plan)
        assert before.running == 0
    second = begin(location)
    rest, _ = second.communicate(timeout=1200)
    assert second.returncode == 0, rest
    assert files_below(tmp_path / "out") == files_below(sources / "one")
    left = [name for name in files_below(tmp_path / "plan") if name != "manifest.jsonl"]
    assert not left
    twice = set(done_in(first)) & set(done_in(rest))
    assert not twice
    record(victim, number, seconds=round(moment, 2), tasks=count, before=before.done, twice=len(twice))
