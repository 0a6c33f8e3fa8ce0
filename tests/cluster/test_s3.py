"""Object stores: a true S3 server, and one that fails at times."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hyperacuity.cluster import planning
from hyperacuity.cluster.manifest import MANIFEST, Plan
from hyperacuity.cluster.runners.protocol import DONE
from hyperacuity.errors import Unreachable, UsageError
from hyperacuity.stores import join, open_store
from hyperacuity.stores.remote import PATIENCE_VARIABLE
from tests.cluster.conftest import forget_stores
from tests.cluster.object_store import KEYS, READER, FailingProxy
from tests.cluster.plans import files_below, lossless, on_one_machine, planned, template, work_all
from tests.cluster.test_files import write_images
from tests.cluster.test_running import customise
from tests.video.videos import make, moving_frames

pytestmark = pytest.mark.cluster


def upload(folder: Path, url: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            open_store(url).publish(path, join(url, *path.relative_to(folder).parts), "test")


def download(url: str, folder: Path) -> dict[str, bytes]:
    store = open_store(url)
    for name in store.walk(url):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        store.fetch(join(url, name), path)
    return files_below(folder)


def test_a_store_does_what_it_promises(s3: str, tmp_path: Path) -> None:
    store, place = open_store(s3), join(s3, "folder", "file")
    assert store.find(place) is None
    assert store.read(place) is None
    assert store.list(s3) == store.walk(s3) == {}
    assert store.create(place, b"first")
    assert not store.create(place, b"second")
    assert store.read(place) == b"first"
    before = store.find(place)
    assert before is not None
    assert before.size == 5
    assert abs(store.now(s3) - before.modified) < 3600
    store.write(place, b"third")
    after = store.find(place)
    assert after is not None
    assert after.identity() != before.identity()
    assert set(store.list(join(s3, "folder"))) == {"file"}
    assert set(store.walk(s3)) == {"folder/file"}
    store.fetch(place, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"third"
    store.remove(place)
    store.remove(place)
    assert store.find(place) is None
    with pytest.raises(UsageError, match="does not exist"):
        store.fetch(place, tmp_path / "file")


def test_objects_have_the_bytes_of_one_machine(s3: str, tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    make(source / "video.mkv", moving_frames(205), sounds=1)
    request = template(video=lossless())
    on_one_machine(str(source), f"{tmp_path / 'one'}/", request)
    upload(source, f"{s3}/in")
    summary = planned(f"{s3}/in/", f"{s3}/out", f"{s3}/plan", request)
    assert (summary.files, summary.tasks["segment"]) == (6, 3)
    assert {each.state for each in work_all(f"{s3}/plan")} == {DONE}
    assert download(f"{s3}/out", tmp_path / "many") == files_below(tmp_path / "one")
    left = set(open_store(s3).walk(f"{s3}/plan"))
    assert left == {MANIFEST}


@pytest.mark.parametrize(("remote_in", "remote_out"), [(True, False), (False, True)])
def test_paths_and_urls_mix(s3: str, tmp_path: Path, remote_in: bool, remote_out: bool) -> None:
    source = write_images(tmp_path / "in")
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    if remote_in:
        upload(source, f"{s3}/in")
    inputs = f"{s3}/in/" if remote_in else str(source)
    output = f"{s3}/out" if remote_out else str(tmp_path / "many")
    planned(inputs, output, str(tmp_path / "plan"))
    assert {each.state for each in work_all(str(tmp_path / "plan"))} == {DONE}
    found = download(output, tmp_path / "many") if remote_out else files_below(tmp_path / "many")
    assert found == files_below(tmp_path / "one")


@pytest.mark.parametrize("failure", ["503", "lost"])
def test_a_store_that_fails_at_every_tenth_request_changes_nothing(
    s3: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    with _failing(s3_server, lambda count, method: failure if count % 10 == 9 else "", monkeypatch) as proxy:
        _work_as_one_machine(s3, tmp_path)
        for n in range(12):
            assert open_store(s3).create(f"{s3}/created{n}", str(n).encode())
        assert proxy.failed >= 5


def test_a_slow_store_changes_nothing(s3: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _failing(s3_server, lambda count, method: "slow" if count % 5 == 4 else "", monkeypatch) as proxy:
        _work_as_one_machine(s3, tmp_path)
        assert proxy.failed >= 5


@contextlib.contextmanager
def _failing(server: str, fails: Callable[[int, str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingProxy]:
    """A proxy before the store, which all stores opened from now on use."""
    proxy = FailingProxy(server, fails)
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        forget_stores()
        yield proxy
    finally:
        proxy.close()


def _work_as_one_machine(s3: str, tmp_path: Path) -> None:
    """Do a plan in a store; its results are the files of one machine."""
    source = write_images(tmp_path / "in")
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    upload(source, f"{s3}/in")
    planned(f"{s3}/in/", f"{s3}/out", f"{s3}/plan")
    assert {each.state for each in work_all(f"{s3}/plan")} == {DONE}
    assert download(f"{s3}/out", tmp_path / "many") == files_below(tmp_path / "one")


def test_an_empty_folder_of_objects_is_an_error(s3: str) -> None:
    with pytest.raises(UsageError, match="there is no"):
        planned(f"{s3}/in/", f"{s3}/out", f"{s3}/plan")


@pytest.mark.parametrize("failure", ["503", "gone", "silent"])
def test_a_store_that_does_not_answer_is_named(
    s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "1")
    with _failing(s3_server, lambda count, method: failure, monkeypatch):
        with pytest.raises(Unreachable, match=r"the store cannot be reached \(write failed for \d+ s") as error:
            open_store(s3).write(f"{s3}/a", b"a")
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(error.value)


# Runs only with `make test-long`: the patience must be more than a busy machine needs for a request.
@pytest.mark.long
@pytest.mark.parametrize("failure", ["gone", "silent"])
def test_a_run_whose_store_vanishes_ends_and_resumes_later(
    s3: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    source = write_images(tmp_path / "in")
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    upload(source, f"{s3}/in")
    monkeypatch.setattr(planning, "_SECONDS", 0.0)
    planned(f"{s3}/in/", f"{s3}/out", f"{s3}/plan")
    own = os.environ.get("PYTHONPATH", "")
    customise(monkeypatch, tmp_path, "while task.number and not (folder / 'vanished').exists(): time.sleep(0.05)")
    monkeypatch.setenv(PATIENCE_VARIABLE, "20")
    proxy = FailingProxy(s3_server, lambda count, method: failure if (tmp_path / "vanished").exists() else "")
    words = [sys.executable, "-m", "hyperacuity", "cluster", "run", f"{s3}/plan", "--workers", "2"]
    environment = {**os.environ, "AWS_ENDPOINT_URL": proxy.url}
    try:
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == "task 0: done\n"
            (tmp_path / "vanished").touch()
            output, errors = run.communicate()
        assert run.returncode == 1
        assert output == ""  # no other task was done, lost or given up
        assert "the store cannot be reached" in errors
        assert "what is done stays" in errors
    finally:
        proxy.close()
    monkeypatch.setenv("PYTHONPATH", own)
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("5 of 5 tasks are done (1 was done before)\n")
    assert download(f"{s3}/out", tmp_path / "many") == files_below(tmp_path / "one")


def test_a_store_that_may_not_be_written_is_named(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_images(tmp_path / "in")
    planned(str(source), f"{s3}/out", f"{s3}/plan")
    for keys in (READER, {**KEYS, "AWS_SECRET_ACCESS_KEY": "wrong-secret-999"}):
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        forget_stores()
        with pytest.raises(UsageError, match="no permission") as error:
            work_all(f"{s3}/plan")
        assert not [value for value in keys.values() if value in str(error.value)]


def test_credentials_are_in_no_file_of_a_plan(s3: str, tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    upload(source, f"{s3}/in")
    planned(f"{s3}/in/", f"{s3}/out", str(tmp_path / "plan"))
    (source / "rgb.png").write_bytes(b"changed")
    upload(source, f"{s3}/in")
    work_all(str(tmp_path / "plan"))
    with Plan(str(tmp_path / "plan")) as plan:
        assert plan.store.list(plan.state("failed"))
    for content in files_below(tmp_path / "plan").values():
        assert not [value for value in KEYS.values() if value.encode() in content]
