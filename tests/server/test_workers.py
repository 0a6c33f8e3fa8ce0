"""Worker processes: results, cancelling, and what happens when they are killed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hyperacuity
from hyperacuity.server.folders import Folders
from hyperacuity.server.options import ServerOptions
from hyperacuity.server.records import Job, JobState, new_id
from hyperacuity.server.store import Store, open_store
from hyperacuity.server.workers import Workers

rng = np.random.default_rng(5)


class Bench:
    """A store, folders and workers in a temporary folder."""

    def __init__(self, data: Path, **options: object) -> None:
        self.options = ServerOptions(data=data, lease_seconds=3, **options)  # type: ignore[arg-type]
        self.store: Store = open_store("sqlite", data)
        self.folders = Folders(data)
        self.workers = Workers(self.options, self.store, self.folders)

    def add(self, source: Path | bytes, **task: object) -> Job:
        upload = new_id()
        path = self.folders.source(upload)
        path.parent.mkdir()
        if isinstance(source, Path):
            shutil.copy(source, path)
        else:
            path.write_bytes(source)
        job = Job(id=new_id(), owner="a", upload=upload, name="x", task=task, created=time.time())
        return self.store.submit(job)

    def now(self, job: Job) -> Job:
        found = self.store.job(job.id, "a")
        assert found is not None
        return found

    def wait(self, job: Job, until: Callable[[Job], bool] = lambda job: job.state.ended, seconds: float = 300) -> Job:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until(found := self.now(job)):
                return found
            time.sleep(0.05)
        pytest.fail(f"the job is {self.now(job).state} after {seconds} s")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.workers.start()
    yield made
    made.workers.stop()
    made.store.close()


def photo(path: Path, side: int = 40) -> Path:
    Image.fromarray(rng.integers(0, 255, (side, side, 3)).astype(np.uint8)).save(path)
    return path


def test_a_job_gives_the_bytes_of_the_library(bench: Bench, tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    done = bench.wait(bench.add(source, size={"scale": 2}))
    assert done.state == JobState.DONE, done.outcome
    result = bench.folders.result(done.id)
    assert result is not None
    wanted = Path(hyperacuity.upscale(source, 2, output=tmp_path / "wanted.png"))
    assert result.read_bytes() == wanted.read_bytes()
    bench.wait(done, lambda job: (bench.folders.job(job.id) / "before.jpg").exists())
    for name in ("before.jpg", "after.jpg"):
        with Image.open(bench.folders.job(done.id) / name) as preview:
            assert preview.size == (80, 80)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"<html>hello</html>", "HTML"), (b"#EXTM3U\nhttp://x/y.ts\n", ""), (b"\x89PNG\r\n\x1a\n12", "")],
)
def test_what_cannot_be_read_is_a_failed_job_that_says_so(bench: Bench, content: bytes, message: str) -> None:
    done = bench.wait(bench.add(content))
    assert done.state == JobState.FAILED
    assert done.outcome is not None
    assert message.lower() in done.outcome["error"]["text"].lower()
    assert "Traceback" not in str(done.outcome)


def test_a_job_whose_worker_is_killed_is_done_by_another(bench: Bench, tmp_path: Path) -> None:
    job = bench.add(photo(tmp_path / "a.png", 600), size={"scale": 4})
    bench.wait(job, lambda job: job.state == JobState.RUNNING and bool(bench.workers.pids()))
    os.kill(bench.workers.pids()[0], signal.SIGKILL)
    done = bench.wait(job)
    assert (done.state, done.attempts) == (JobState.DONE, 2)
    assert not list(bench.folders.job(job.id).glob(".*.part"))


def test_a_running_job_is_cancelled_within_seconds(bench: Bench, tmp_path: Path) -> None:
    job = bench.add(photo(tmp_path / "a.png", 1500), size={"scale": 4})
    bench.wait(job, lambda job: job.progress > 0)
    bench.store.cancel(job.id, "a", 9e9)
    done = bench.wait(job)
    assert done.state == JobState.CANCELLED
    assert not bench.folders.job(job.id).exists()


def test_limits_are_refused_with_their_numbers(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "data", max_input_pixels=10_000, max_output_pixels=50_000)
    bench.workers.start()
    try:
        small = bench.add(photo(tmp_path / "a.png", 100), size={"scale": 2})
        wide = bench.add(photo(tmp_path / "b.png", 101), size={"scale": 2})
        large = bench.add(photo(tmp_path / "c.png", 100), size={"scale": 3})
        assert bench.wait(small).state == JobState.DONE
        for job, number in ((wide, "10,201"), (large, "90,000")):
            done = bench.wait(job)
            assert done.outcome is not None
            assert number in done.outcome["error"]["text"] or number.replace(",", "") in str(done.outcome)
    finally:
        bench.workers.stop()
        bench.store.close()


def test_stopping_gives_jobs_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "data")
    bench.workers.start()
    job = bench.add(photo(tmp_path / "a.png", 1500), size={"scale": 4})
    bench.wait(job, lambda job: job.progress > 0)
    bench.workers.stop()
    found = bench.now(job)
    assert (found.state, found.attempts) == (JobState.WAITING, 0)
    bench.store.close()
