"""Workers and drivers of this machine killed at random times: `make test-long`, minutes.

Results are in benchmarks/results/cluster_kills.csv.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("av")

from hyperacuity.stores import join, open_store
from tests.cluster.kills import SEEDS, Round, Sources, command, environment, kill_one, play

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL"),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources.made(tmp_path_factory.mktemp("sources"), "large.png")


def kill_driver(played: Round, driver: subprocess.Popen[bytes], chance: random.Random) -> bool:
    driver.kill()
    return True


def kill_worker(played: Round, driver: subprocess.Popen[bytes], chance: random.Random) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(driver.pid).children()
        return kill_one([each for each in children if "hyperacuity.cluster.worker" in each.cmdline()], chance)
    return False


VICTIMS = {"worker": kill_worker, "driver": kill_driver}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_loses_nothing(sources: Sources, tmp_path: Path, victim: str, seed: int) -> None:
    words = command("--workers", "2")
    play(
        f"local, {victim}",
        seed,
        lambda attempt: Round(sources, tmp_path / str(attempt), words, environment()),
        VICTIMS[victim],
    )


@pytest.mark.cluster
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_loses_nothing_in_an_object_store(
    stored_sources: Sources, s3: str, tmp_path: Path, victim: str, seed: int
) -> None:
    inputs = join(s3, "in")
    for path in (stored_sources.folder / "in").iterdir():
        open_store(s3).publish(path, join(inputs, path.name), "test")
    words = command("--workers", "2")
    play(
        f"object store, {victim}",
        seed,
        lambda attempt: Round(
            stored_sources, tmp_path / str(attempt), words, environment(), f"{s3}/{attempt}", f"{inputs}/"
        ),
        VICTIMS[victim],
    )
    assert not _unfinished_uploads()


@pytest.fixture(scope="module")
def stored_sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources.made(tmp_path_factory.mktemp("sources"), "large.png")


def _unfinished_uploads() -> list[Any]:
    import s3fs

    found: list[Any] = s3fs.S3FileSystem(skip_instance_cache=True).list_multipart_uploads("bucket")
    return found
