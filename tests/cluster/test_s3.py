"""Object stores: a true S3 server, and one that fails at times."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperacuity.cluster.manifest import MANIFEST, Plan
from hyperacuity.cluster.runners.protocol import DONE
from hyperacuity.errors import Unreachable, UsageError
from hyperacuity.stores import join, open_store
from tests.cluster.conftest import forget_stores
from tests.cluster.object_store import KEYS, READER, FailingProxy
from tests.cluster.plans import files_below, lossless, on_one_machine, planned, template, work_all
from tests.cluster.test_files import write_images
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
    source = write_images(tmp_path / "in")
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    proxy = FailingProxy(s3_server, lambda count, method: failure if count % 10 == 9 else "")
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        forget_stores()
        upload(source, f"{s3}/in")
        planned(f"{s3}/in/", f"{s3}/out", f"{s3}/plan")
        assert {each.state for each in work_all(f"{s3}/plan")} == {DONE}
        assert download(f"{s3}/out", tmp_path / "many") == files_below(tmp_path / "one")
        for n in range(12):
            assert open_store(s3).create(f"{s3}/created{n}", str(n).encode())
        assert proxy.failed >= 5
    finally:
        proxy.close()


def test_a_store_that_does_not_answer_is_named(s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    from hyperacuity.stores import remote

    monkeypatch.setattr(remote, "_TRIES", 2)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    proxy = FailingProxy(s3_server, lambda count, method: "503")
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        forget_stores()
        with pytest.raises(Unreachable, match="failed 2 times") as error:
            open_store(s3).write(f"{s3}/a", b"a")
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(error.value)
    finally:
        proxy.close()


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
