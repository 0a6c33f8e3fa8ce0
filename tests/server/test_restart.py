"""What was accepted is done once, whatever is killed; and nothing half written stays."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import hyperacuity
from tests.cli import process
from tests.server.conftest import png
from tests.server.running import TUS, Client, Server
from tests.video.videos import make, moving_frames

_IMAGES = 5


def wanted(folder: Path) -> list[bytes]:
    """The results of the test's images as the library makes them."""
    found = []
    for n in range(_IMAGES):
        (folder / f"{n}.png").write_bytes(png(90, 120, n))
        made = hyperacuity.upscale(folder / f"{n}.png", 2, output=folder / f"wanted{n}.png")
        found.append(Path(made).read_bytes())
    return found


def ended(client: Client, jobs: list[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        states = {job["id"]: job["state"] for job in client.get("jobs", params={"limit": 500}).json()["jobs"]}
        if all(states[job] == "done" for job in jobs):
            return
        assert "failed" not in states.values()
        time.sleep(0.2)
    pytest.fail(f"after {seconds} s: {states}")


def kill_rounds(
    data: Path, rounds: int, jobs: int, seconds: float, seed: int, store: str = "sqlite"
) -> dict[str, float]:
    """Submit jobs, kill workers, the server, or all of them at random times, and check that each job is done once."""
    draw = random.Random(seed)
    data.mkdir()
    results = wanted(data)
    server = Server(data / "server", "--workers", "2", "--store", store, config="lease_seconds = 8.0")
    kills = {"worker": 0, "server": 0, "all": 0}
    begun = time.monotonic()
    try:
        for _ in range(rounds):
            with server.client() as client:
                accepted = [
                    client.job(png(90, 120, n % _IMAGES), f"{n % _IMAGES}.png", task={"size": {"scale": 2}})["id"]
                    for n in range(jobs)
                ]
            for what in draw.choices(["worker", "server", "all"], k=3):
                time.sleep(draw.uniform(0.2, seconds))
                workers = server.workers()
                kills[what] += 1
                if what in {"worker", "all"}:
                    for worker in workers if what == "all" else workers[:1]:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker, signal.SIGKILL)
                if what in {"server", "all"}:
                    server.kill()
                    server.start()
            with server.client() as client:
                ended(client, accepted, 300)
                for n, job in enumerate(accepted):
                    view = client.get(f"jobs/{job}").json()
                    assert client.get(f"jobs/{job}/result").content == results[n % _IMAGES]
                    with client.stream("GET", f"jobs/{job}/events") as answer:
                        assert sum(line == "event: done" for line in answer.iter_lines()) == 1
                    assert view["state"] == "done"
        server.stop()
        server.start()
        assert not list((data / "server").rglob("*.part"))
        with server.client() as client:
            listed = client.get("jobs", params={"limit": 500}).json()["jobs"]
        assert len(listed) == min(500, rounds * jobs)
    finally:
        if server.process.poll() is None:
            server.stop()
    return {**kills, "jobs": rounds * jobs, "seconds": round(time.monotonic() - begun, 1)}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    store = request.getfixturevalue("database") if kind == "postgres" else kind
    kill_rounds(tmp_path / "data", rounds=1, jobs=6, seconds=1.0, seed=1, store=store)


def test_a_video_resumes_after_the_server_was_killed(tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4", moving_frames(260), codec="mpeg4")
    process.run("upscale", "v.mp4", "-s", "2", "-o", "wanted.mp4", folder=tmp_path)
    whole = (tmp_path / "wanted.mp4").read_bytes()
    server = Server(tmp_path / "data")
    try:
        with server.client() as client:
            job = client.job(source.read_bytes(), "v.mp4")["id"]
            end = time.monotonic() + 60
            while not list((tmp_path / "data" / "jobs").rglob("*.segment")) and time.monotonic() < end:
                time.sleep(0.02)
        server.kill()
        server.start()
        with server.client() as client:
            done = client.ended(job, 120)
            assert done["state"] == "done", done
            assert client.get(f"jobs/{job}/result").content == whole
        files = [path.name for path in (tmp_path / "data" / "jobs" / job).iterdir()]
        assert sorted(files) == ["after.jpg", "before.jpg", "result.mp4"]
    finally:
        server.stop()


def test_uploads_and_waiting_jobs_outlive_the_server(idle: Callable[..., Server]) -> None:
    server = idle()
    with server.client() as client:
        upload = client.create(1000).headers["Location"].split("/")[-1]
        client.append(upload, 0, bytes(400))
        job = client.job(png())["id"]
    server.kill()
    server.start()
    with server.client() as client:
        assert client.head(f"uploads/{upload}", headers=TUS).headers["Upload-Offset"] == "400"
        assert client.get(f"jobs/{job}").json()["state"] == "waiting"


def test_a_start_sweeps_what_nothing_names(idle: Callable[..., Server]) -> None:
    server = idle()
    with server.client() as client:
        job = client.job(png())["id"]
    server.kill()
    for name in ("uploads", "jobs"):
        (server.data / name / ("0" * 32)).mkdir()
        (server.data / name / ("0" * 32) / ".x.part").write_bytes(b"x")
    server.start()
    assert [len(list((server.data / name).iterdir())) for name in ("uploads", "jobs")] == [1, 0]
    with server.client() as client:
        assert client.get(f"jobs/{job}").json()["state"] == "waiting"


def test_what_has_expired_is_removed(idle: Callable[..., Server]) -> None:
    server = idle(workers=1, config="upload_hours = 0.0\nresult_days = 0.0")
    with server.client() as client:
        upload = client.create(10).headers["Location"].split("/")[-1]
        job = client.ended(client.job(png())["id"])
        assert job["state"] == "done"
    time.sleep(0.1)
    server.stop()
    server.start()
    with server.client() as client:
        assert client.get(f"jobs/{job['id']}").status_code == 404
        assert client.head(f"uploads/{upload}", headers=TUS).status_code == 404
        assert client.get("limits").json()["used"] == {"waiting_jobs": 0, "bytes": 0}
    assert list((server.data / "jobs").iterdir()) + list((server.data / "uploads").iterdir()) == []


def test_another_server_takes_the_jobs_of_one_that_was_killed(tmp_path: Path, database: str) -> None:
    config = "lease_seconds = 8.0"
    first, second = (Server(tmp_path / "data", "--store", database, config=config) for _ in range(2))
    try:
        with first.client() as client, second.client() as other:
            job = client.job(png(700, 900), task={"size": {"scale": 4}})["id"]
            end = time.monotonic() + 30
            while client.get(f"jobs/{job}").json()["state"] == "waiting" and time.monotonic() < end:
                time.sleep(0.05)
            owner, heir = (first, other) if first.workers() else (second, client)
            owner.kill()
            done = heir.ended(job, 120)
            assert done["state"] == "done", done
            with heir.stream("GET", f"jobs/{job}/events") as answer:
                kinds = [line for line in answer.iter_lines() if line.startswith("event: ") and "progress" not in line]
            assert kinds == ["event: waiting", "event: running", "event: waiting", "event: running", "event: done"]
    finally:
        for server in (first, second):
            if server.process.poll() is None:
                server.stop()
