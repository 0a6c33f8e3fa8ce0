"""Stores that are late, full or read-only, and what is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hyperacuity.cluster import planning
from hyperacuity.cluster.driving import run_plan
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import DONE, LOST, Report
from hyperacuity.cluster.stored import upscale_stored
from hyperacuity.cluster.work import Worker
from hyperacuity.errors import Unreachable, UsageError
from hyperacuity.stores import check, join, name_of, open_store, opening, parent_of
from hyperacuity.stores.local import LocalStore
from hyperacuity.stores.remote import PATIENCE_VARIABLE
from hyperacuity.task import ImageOptions, Options, Stop
from hyperacuity.tasks import Observer, Upscalers
from tests.cluster.images import written
from tests.cluster.plans import files_below, on_one_machine, planned, template, work_all
from tests.cluster.test_files import write_images
from tests.cluster.test_running import _Here

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem: Any = fsspec.get_filesystem_class("memory")


class LateFiles(MemoryFileSystem):  # type: ignore[misc]
    """Objects in memory. Lists miss everything, and one request in ten fails."""

    protocol = "late"
    store: dict[str, Any] = {}  # noqa: RUF012 - as its parent has it
    pseudo_dirs = [""]  # noqa: RUF012
    requests = 0
    gone = False

    def _count(self) -> None:
        if LateFiles.gone:
            raise ConnectionRefusedError("at https://host/?X-Amz-Signature=secret")
        LateFiles.requests += 1
        if LateFiles.requests % 10 == 0:
            raise OSError("Service Unavailable, with a signature AKIAEXAMPLE")

    def ls(self, path: str, detail: bool = True, **given: Any) -> Any:
        return []

    def find(self, path: str, *given: Any, **named: Any) -> Any:
        return {} if named.get("detail") else []

    def info(self, path: str, **given: Any) -> Any:
        self._count()
        return super().info(path, **given)

    def cat_file(self, path: str, *given: Any, **named: Any) -> Any:
        self._count()
        return super().cat_file(path, *given, **named)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **given: Any) -> Any:
        self._count()
        return super().pipe_file(path, value, mode=mode, **given)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> str:
    fsspec.register_implementation("late", LateFiles, clobber=True)
    LateFiles.store.clear()
    monkeypatch.setattr(LateFiles, "gone", False)
    monkeypatch.setattr("hyperacuity.stores.remote._PAUSE", 0.0)
    opening._remote.cache_clear()
    return "late://bucket"


def test_a_store_whose_lists_are_late_and_that_fails_at_times_holds_a_plan(late: str, tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    planned(str(source), f"{late}/out", f"{late}/plan")
    with Plan(f"{late}/plan") as plan:
        assert run_plan(plan, _Here()).failed == []
        # No list shows what is done, and nothing is done again.
        reports = list(_Here().run(plan, range(len(plan)), *_defaults()))
        assert {report.state for report in reports} == {DONE}
        assert not any(report.outcomes for report in reports)
    store = open_store(late)
    for name, content in files_below(tmp_path / "one").items():
        assert store.read(join(late, "out", name)) == content


def _defaults() -> tuple[Any, Any]:
    from hyperacuity.cluster.runners.protocol import RunSettings
    from hyperacuity.task import Stop

    return RunSettings(), Stop()


def test_samples_of_an_object_are_written_beside_its_result(late: str, tmp_path: Path) -> None:
    source = written(tmp_path / "a.png")
    open_store(late).publish(source, join(late, "a.png"), "test")
    request = template(options=Options(model="vae"), image=ImageOptions(samples=2))
    on_one_machine(str(source), f"{tmp_path / 'one'}/", request)
    task = replace(request, source=join(late, "a.png"), target=join(late, "out", "a.png"))
    outcome = upscale_stored(task, Observer(), Stop(), Upscalers())
    names = ["a-sample-1.png", "a-sample-2.png", "a-spread.png"]
    assert outcome.samples == tuple(join(late, "out", name) for name in names)
    for name, content in files_below(tmp_path / "one").items():
        assert open_store(late).read(join(late, "out", name)) == content
    open_store(late).remove(task.target)
    outcome = upscale_stored(task, Observer(), Stop(), Upscalers())
    assert outcome.error is not None
    assert outcome.error.text == f"{join(late, 'out', names[0])} exists"


def test_texts_of_libraries_are_not_repeated(late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.1")
    monkeypatch.setattr(LateFiles, "gone", True)
    wanted = r"^late://bucket/a: the store cannot be reached \(read failed for \d+ s, ConnectionRefusedError\)$"
    with pytest.raises(Unreachable, match=wanted):
        open_store(late).find(f"{late}/a")


class Clock:
    """A clock that only pauses move, and a store that is gone for some time from its start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outage: float) -> None:
        self.now, self._outage, self._patch = 0.0, outage, monkeypatch
        monkeypatch.setattr("hyperacuity.stores.remote._PAUSE", 0.2)
        monkeypatch.setattr("hyperacuity.stores.remote.time", self)
        monkeypatch.setattr(LateFiles, "gone", True)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._patch.setattr(LateFiles, "gone", self.now < self._outage)


def test_an_outage_of_a_minute_is_survived(late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 60)
    open_store(late).write(f"{late}/a", b"a")
    assert open_store(late).read(f"{late}/a") == b"a"
    assert 60 <= clock.now < 70


def test_a_longer_outage_ends_a_request_and_the_next_ones_sooner(late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, store = Clock(monkeypatch, 3600), open_store(late)
    with pytest.raises(Unreachable, match="cannot be reached"):
        store.write(f"{late}/a", b"a")
    assert 90 <= clock.now < 100
    begun = clock.now
    assert not store.answers(late)
    with pytest.raises(Unreachable, match="cannot be reached"):
        store.read(f"{late}/a")
    assert clock.now - begun < 40
    clock.sleep(3600)
    assert store.answers(late)
    monkeypatch.setattr(LateFiles, "gone", True)
    begun, clock._outage = clock.now, clock.now + 60  # it answered, so it is trusted again
    assert store.read(f"{late}/a") is None


@pytest.mark.parametrize("text", ["", "0", "-1", "long", "nan", "inf"])
def test_a_patience_that_is_no_number_of_seconds_is_refused(
    late: str, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, text)
    with pytest.raises(UsageError, match="not a number of seconds such as 90"):
        open_store(late)


def test_a_run_whose_store_vanishes_ends_and_resumes_later(
    late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_images(tmp_path / "in")
    on_one_machine(str(source), f"{tmp_path / 'one'}/")
    monkeypatch.setattr(planning, "_SECONDS", 0.0)
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.1")
    planned(str(source), f"{late}/out", f"{late}/plan")
    tried: list[int] = []

    class Vanishing(_Here):
        def run(self, plan: Plan, numbers: Any, settings: Any, stop: Stop) -> Iterator[Report]:
            worker = Worker(plan, settings, stop)
            for number in numbers:
                tried.append(number)
                LateFiles.gone = number == 2
                try:
                    yield worker.work_on(number)
                except Unreachable as error:
                    yield Report(number, LOST, reason=error.message, unreachable=True)

    with Plan(f"{late}/plan") as plan:
        with pytest.raises(Unreachable, match="cannot be reached"):
            run_plan(plan, Vanishing())
        assert tried == [0, 1, 2]
        LateFiles.gone = False
        summary = run_plan(plan, _Here())
        assert (summary.done, summary.failed) == (len(plan), [])
    for name, content in files_below(tmp_path / "one").items():
        assert open_store(late).read(join(late, "out", name)) == content


def test_a_worker_that_alone_does_not_reach_the_store_does_not_end_the_run(
    late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(str(write_images(tmp_path / "in")), f"{late}/out", f"{late}/plan")

    class Secluded(_Here):
        def run(self, plan: Plan, numbers: Any, settings: Any, stop: Stop) -> Iterator[Report]:
            yield from (Report(number, LOST, reason="no route", unreachable=True) for number in numbers)

    with Plan(f"{late}/plan") as plan:
        (failed,) = run_plan(plan, Secluded()).failed
    assert str(failed.outcomes[0].error) == "4 workers were lost on it (no route), so it is not tried again"


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/a", "https://host/a?token=secret"])
def test_urls_with_credentials_are_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as error:
        check(url)
    assert "secret" not in str(error.value)
    with pytest.raises(UsageError):
        planned(str(tmp_path), url, str(tmp_path / "plan"))


def test_unknown_schemes_are_named() -> None:
    with pytest.raises(UsageError, match="nowhere://"):
        open_store("nowhere://bucket/a")


def test_locations_have_parts() -> None:
    assert join("s3://bucket/a/", "b", "c.png") == "s3://bucket/a/b/c.png"
    assert (name_of("s3://bucket/a.png"), parent_of("s3://bucket/a.png")) == ("a.png", "s3://bucket")
    assert (name_of("a/b.png"), parent_of(str(Path("a", "b.png")))) == ("b.png", "a")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full, or a folder that cannot be written")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    source = write_images(tmp_path / "in")
    with pytest.raises(UsageError, match="was not written"):
        planned(str(source), str(tmp_path / "out"), "/proc/hyperacuity-plan")
    planned(str(source), "/proc/hyperacuity-out", str(tmp_path / "plan"))
    reports = work_all(str(tmp_path / "plan"))
    assert {report.state for report in reports} == {"failed"}
    assert "was not written" in str(reports[0].outcomes[0].error)


def test_a_full_disk_fails_the_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import shutil

    source = write_images(tmp_path / "in")
    planned(str(source), str(tmp_path / "out"), str(tmp_path / "plan"))
    own = shutil.copyfile

    def full(origin: Any, target: Any) -> Any:
        own(origin, target)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    (report,) = work_all(str(tmp_path / "plan"))
    assert "the disk is full" in str(report.outcomes[0].error)
    assert files_below(tmp_path / "out") == {}
    monkeypatch.setattr(shutil, "copyfile", own)
    (report,) = work_all(str(tmp_path / "plan"))
    assert report.state == DONE


def test_what_a_killed_publication_left_is_removed_by_the_next(tmp_path: Path) -> None:
    target, other = tmp_path / "a.png", tmp_path / ".a.png.other.0123.part"
    (tmp_path / ".a.png.mark.0123.part").write_bytes(b"left over")
    other.write_bytes(b"somebody else's")
    (tmp_path / "made").write_bytes(b"result")
    LocalStore().publish(tmp_path / "made", str(target), "mark")
    assert sorted(os.listdir(tmp_path)) == [".a.png.other.0123.part", "a.png", "made"]


def test_a_local_store_without_links_creates_files_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def refuse(*given: Any) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    store = LocalStore()
    assert store.create(str(tmp_path / "a"), b"1")
    assert not store.create(str(tmp_path / "a"), b"2")
    assert files_below(tmp_path) == {"a": b"1"}
