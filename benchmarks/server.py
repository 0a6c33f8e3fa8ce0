"""How soon the server listens and answers, and what it needs.

    python benchmarks/server.py

"start" runs the command several times without workers: the seconds until it listens, the processor's seconds of
those, and its memory a second later. "photo" sends an image of 0.5 megapixels to a worker that has its model open, in
turn with the library in this process, and compares the two. "latency" asks for a job, in turn with /livez, which needs
neither the store nor a thread, while two workers compute and uploads and jobs come in; the requests come from a process
of its own over one connection. /livez thus says what the machine, the interpreter, uvicorn and the network need.
Seconds are of wall time, which other programs lengthen; the column "load" says how busy the machine was. Writes
results/server.csv.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import record
from PIL import Image

import hyperacuity

STARTS, PHOTOS, SECONDS = 9, 15, 60
MEBIBYTE = 2**20


@contextlib.contextmanager
def serving(data: Path, *arguments: str) -> Iterator[tuple[psutil.Process, int, float]]:
    """Runs the command; yields its process, its port, and the seconds until it listened."""
    command = [sys.executable, "-m", "hyperacuity", "serve", "--port", "0", "--data", str(data), *arguments]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - begun
        try:
            yield psutil.Process(process.pid), int(line.rsplit(":", 1)[1].strip("/\n")), seconds
        finally:
            process.terminate()


def photo(height: int, width: int) -> bytes:
    """Returns an image with smooth and rough parts as PNG."""
    y, x = np.mgrid[0:height, 0:width]
    waves = 128 + 60 * np.sin(x / 23 + y / 57) + 40 * np.cos(y / 13)
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3)) * (x > width / 2)[..., None]
    content = io.BytesIO()
    Image.fromarray(np.clip(waves[..., None] + noise, 0, 255).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, **headers: str
) -> Any:
    """Sends a request; returns the body of the answer."""
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status < 300, (answer.status, content)
    return content


def used(process: psutil.Process) -> float:
    """Returns the processor's seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def start(folder: Path) -> list[dict[str, Any]]:
    """Measures starts without workers."""
    walls, processor, memory = [], [], []
    for n in range(STARTS):
        with serving(folder / f"start{n}", "--workers", "0") as (process, _, seconds):
            walls.append(seconds)
            processor.append(used(process))
            time.sleep(1)
            memory.append(process.memory_info().rss / MEBIBYTE)
    return [
        row("start", "seconds until it listens, median", statistics.median(walls), 2),
        row("start", "seconds until it listens, shortest", min(walls), 2),
        row("start", "processor seconds until it listens, median", statistics.median(processor), 2),
        row("start", "MiB when idle, median", statistics.median(memory), 1),
    ]


def photos(folder: Path) -> list[dict[str, Any]]:
    """Compares the library with a warm worker."""
    content = photo(600, 830)
    (folder / "a.png").write_bytes(content)
    upscaler = hyperacuity.load()
    library, served = [], []
    with serving(folder / "photos", "--workers", "1") as (_, port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        for n in range(PHOTOS + 1):  # the first of each only warms up
            begun = time.perf_counter()
            upscaler.file(folder / "a.png", folder / "b.png", hyperacuity.Size(scale=2), force=True)
            between = time.perf_counter()
            result = ask(connection, "POST", "/v1/upscale?scale=2", content, Prefer="wait=60")
            if n:
                library.append(between - begun)
                served.append(time.perf_counter() - between)
            assert result == (folder / "b.png").read_bytes()
    more = [after - before for before, after in zip(library, served, strict=True)]
    return [
        row("photo", "seconds of the library, median", statistics.median(library), 2),
        row("photo", "seconds of the server, median", statistics.median(served), 2),
        row("photo", "seconds more, median of pairs", statistics.median(more), 2),
        row("photo", "seconds more, shortest of each", min(served) - min(library), 2),
    ]


def probe(port: int, job: str, seconds: float) -> None:
    """Asks for a job and for /livez in turn, 20 times a second, and prints the seconds that each took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    paths = {"job": f"/v1/jobs/{job}", "livez": "/livez"}
    taken: dict[str, list[float]] = {name: [] for name in paths}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, path in paths.items():
            time.sleep(0.025)
            begun = time.perf_counter()
            ask(connection, "GET", path)
            taken[name].append(time.perf_counter() - begun)
    print(json.dumps(taken))


def latency(folder: Path) -> list[dict[str, Any]]:
    """Measures answers while two workers compute and four clients send."""
    contents = [photo(300 + 20 * n, 400) for n in range(4)]
    ended = threading.Event()
    sent = [0] * len(contents)
    with serving(folder / "latency", "--workers", "2") as (process, port, _):

        def send(number: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            while not ended.is_set():
                ask(connection, "POST", "/v1/upscale?scale=2", contents[number], Prefer="wait=60")
                sent[number] += 1

        senders = [threading.Thread(target=send, args=(n,)) for n in range(len(contents))]
        for sender in senders:
            sender.start()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        time.sleep(10)
        job = json.loads(ask(connection, "GET", "/v1/jobs"))["jobs"][0]["id"]
        before = used(process)
        command = [sys.executable, __file__, "probe", str(port), job, str(SECONDS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        taken, spent = json.loads(done.stdout), used(process) - before
        memory = process.memory_info().rss / MEBIBYTE
        ended.set()
        for sender in senders:
            sender.join()
    rows = []
    for name, what in (("job", "GET /v1/jobs/ID"), ("livez", "GET /livez")):
        milliseconds = 1000 * np.array(taken[name])
        for share in (50, 99):
            rows.append(
                row("latency", f"{what}, milliseconds, percentile {share}", np.percentile(milliseconds, share), 1)
            )
    return [
        *rows,
        row("latency", "jobs done meanwhile", sum(sent), 0),
        row("latency", "share of one core that the server used", spent / SECONDS, 3),
        row("latency", "MiB of the server", memory, 1),
    ]


def row(what: str, measure: str, value: float, digits: int) -> dict[str, Any]:
    """Returns a row of the table, with the machine's load of the last minute."""
    return {
        "what": what,
        "measure": measure,
        "value": round(float(value), digits),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Measures all, or what is named."""
    if sys.argv[1:2] == ["probe"]:
        probe(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
        return
    measurements = {"start": start, "photo": photos, "latency": latency}
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in sys.argv[1:] or measurements for row in measurements[name](Path(folder))]
    record.save("server", rows)


if __name__ == "__main__":
    main()
