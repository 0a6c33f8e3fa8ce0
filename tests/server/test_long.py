"""The server under kills, load and slow clients: `make test-long`, minutes; measurements are in docs/server.md."""

from __future__ import annotations

import contextlib
import csv
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.server.conftest import png
from tests.server.running import Server
from tests.server.test_restart import kill_rounds

pytestmark = pytest.mark.long

# A CSV file to which measurements are appended.
RESULTS = os.environ.get("HYPERACUITY_SERVER_RESULTS", "")


def record(what: str, **values: object) -> None:
    """Print measurements, and append them to `RESULTS`."""
    print(what, values)
    if RESULTS:
        with Path(RESULTS).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([what, name, value] for name, value in values.items())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_twenty_rounds_of_kills_lose_nothing(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    store = request.getfixturevalue("database") if kind == "postgres" else kind
    found = kill_rounds(tmp_path / "data", rounds=20, jobs=50, seconds=3.0, seed=20, store=store)
    record(f"kill rounds, {kind}", **found)


def test_two_hundred_uploads_by_twenty_clients(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--workers", "2", config="max_waiting_jobs = 1000")
    process = psutil.Process(server.process.pid)
    idle = process.memory_info().rss
    latencies: list[float] = []
    memory: list[tuple[int, int]] = []
    done: list[str] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        with server.client() as client:
            for n in range(10):
                job = client.job(png(200, 300, number * 10 + n), task={"size": {"scale": 2}})["id"]
                while True:
                    begun = time.monotonic()
                    state = client.get(f"jobs/{job}").json()["state"]
                    with lock:
                        latencies.append(time.monotonic() - begun)
                    if state in {"done", "failed"}:
                        break
                    time.sleep(0.25)
                assert state == "done"
                with lock:
                    done.append(job)
                    memory.append((len(done), process.memory_info().rss))

    begun = time.monotonic()
    try:
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(work, range(20)))
        seconds = time.monotonic() - begun
    finally:
        server.stop()
    half = np.array(memory[len(memory) // 2 :], float)
    slope = np.polyfit(half[:, 0], half[:, 1], 1)[0] * 100 / 2**20
    p99 = float(np.percentile(latencies, 99))
    record(
        "load",
        jobs=len(done),
        seconds=round(seconds, 1),
        start_seconds=round(server.start_seconds, 2),
        idle_mebibytes=round(idle / 2**20, 1),
        most_mebibytes=round(max(rss for _, rss in memory) / 2**20, 1),
        slope_mebibytes_per_100_jobs=round(float(slope), 2),
        p50_milliseconds=round(1000 * float(np.median(latencies)), 1),
        p99_milliseconds=round(1000 * p99, 1),
    )
    assert len(set(done)) == 200
    assert max(rss for _, rss in memory) < 150 * 2**20
    assert slope < 1


def test_five_hundred_slow_connections_and_a_thousand_event_streams(idle: Callable[..., Server]) -> None:
    server = idle(config="max_connections = 2000\nheader_seconds = 30.0")
    process = psutil.Process(server.process.pid)
    with server.client() as client, contextlib.ExitStack() as opened:
        job = client.job(png())["id"]
        host, port = str(client.base_url.host), client.base_url.port or 80
        before = process.memory_info().rss
        for number in range(1500):
            connection = opened.enter_context(socket.create_connection((host, port)))
            events = f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
            connection.sendall(b"GET /livez HTTP/1.1\r\nX: " if number < 500 else events.encode())
        time.sleep(2)
        times = []
        for _ in range(50):
            begun = time.monotonic()
            assert client.get(f"jobs/{job}").status_code == 200
            times.append(time.monotonic() - begun)
        record(
            "slow clients",
            connections=1500,
            worst_milliseconds=round(1000 * max(times), 1),
            mebibytes_more=round((process.memory_info().rss - before) / 2**20, 1),
        )
        assert max(times) < 2


def test_a_photo_comes_back_soon(tmp_path: Path) -> None:
    import hyperacuity

    (tmp_path / "a.png").write_bytes(png(600, 830))
    upscaler = hyperacuity.load()
    upscaler.file(tmp_path / "a.png", tmp_path / "b.png", hyperacuity.Size(scale=2))
    library, served = [], []
    server = Server(tmp_path / "data")
    try:
        with server.client() as client:
            client.ended(client.job(png(600, 830))["id"])
            for _ in range(5):
                begun = time.monotonic()
                upscaler.file(tmp_path / "a.png", tmp_path / "b.png", hyperacuity.Size(scale=2), force=True)
                library.append(time.monotonic() - begun)
                begun = time.monotonic()
                answer = client.post("upscale?scale=2", content=png(600, 830), headers={"Prefer": "wait=60"})
                assert answer.status_code == 200
                served.append(time.monotonic() - begun)
    finally:
        server.stop()
    record("a photo of 0.5 megapixels", library_seconds=round(min(library), 2), server_seconds=round(min(served), 2))
