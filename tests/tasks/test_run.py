"""One task of each kind, and the reports to its observer."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity import Size
from hyperacuity.errors import LEAVE_OUT, Use
from hyperacuity.task import ImageOptions, Message, Options, Outcome, Progress, Stop, Stopped, Task, VideoOptions
from hyperacuity.tasks import KINDS, Observer, Pipes, Upscalers, run
from hyperacuity.upscaler import Upscaler
from tests.video.videos import contents, make, moving_frames

BICUBIC = Options(model="bicubic")


class Recorder(Observer):
    def __init__(self, stop: Stop | None = None) -> None:
        self.stop = stop
        self.begun: list[str] = []
        self.reports: list[Progress] = []
        self.warnings: list[Message] = []
        self.outcomes: list[Outcome] = []

    def started(self, task: Task) -> None:
        self.begun.append(task.source)

    def progress(self, task: Task, progress: Progress) -> None:
        self.reports.append(progress)
        if self.stop is not None:
            self.stop.set()

    def warned(self, task: Task, warning: Message) -> None:
        self.warnings.append(warning)

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = PIL.Image.linear_gradient("L").resize((40, 30)).convert("RGBA")
    image.putalpha(99)
    image.save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("video") / "a.mkv", moving_frames(6))


def test_an_image(image: Path) -> None:
    recorder = Recorder()
    task = Task(str(image), str(image.parent / "deep/b.png"), Size(1.5), BICUBIC)
    outcome = run(task, recorder)
    assert (outcome.kind, outcome.before, outcome.after, outcome.frames) == ("image", (30, 40), (45, 60), 1)
    assert (outcome.source, outcome.target, outcome.models) == (task.source, task.target, ("bicubic",))
    assert outcome.error is None
    assert outcome.seconds > 0
    assert (recorder.begun, recorder.outcomes) == ([task.source], [outcome])
    assert recorder.reports[-1].done == 1
    assert sum(report.pixels for report in recorder.reports) == 45 * 60
    with PIL.Image.open(task.target) as larger:
        assert larger.size == (60, 45)


def test_a_video(video: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    outcome = run(Task(str(video), str(tmp_path / "b.mkv"), options=BICUBIC), recorder)
    assert (outcome.kind, outcome.before, outcome.after, outcome.frames) == ("video", (36, 48), (72, 96), 6)
    assert outcome.error is None
    assert recorder.reports[-1].done == 1
    assert [report.done for report in recorder.reports] == sorted(report.done for report in recorder.reports)
    assert len(contents(tmp_path / "b.mkv")[0]) == 6


def test_a_preview_of_a_video(video: Path, tmp_path: Path) -> None:
    task = Task(str(video), str(tmp_path / "b.png"), options=BICUBIC, video=VideoOptions(preview=True, start="1/10"))
    outcome = run(task)
    assert (outcome.kind, outcome.error, outcome.frames) == ("video", None, 1)
    with PIL.Image.open(tmp_path / "b.png") as preview:
        assert preview.height == 72


def test_options_of_another_kind_are_an_error_with_a_cure(image: Path, video: Path) -> None:
    outcome = run(Task(str(image), str(image.with_name("b.png")), video=VideoOptions(codec="h265")))
    assert outcome.error is not None
    assert outcome.error.cures == (Use(codec=LEAVE_OUT),)
    outcome = run(Task(str(video), str(image.with_name("b.mkv")), image=ImageOptions(quality=3)))
    assert outcome.error is not None
    assert outcome.error.cures == (Use(quality=LEAVE_OUT),)


@pytest.mark.parametrize("options", [{"samples": 3}, {"error_map": "map.png"}, {"report": "a.html"}, {"origin": True}])
def test_a_video_has_no_error_map_no_report_and_no_samples(options: dict[str, Any], video: Path) -> None:
    outcome = run(Task(str(video), str(video.with_name("larger.mkv")), image=ImageOptions(**options)))
    assert outcome.error is not None
    assert "options for images" in outcome.error.text
    assert not video.with_name("larger.mkv").exists()


def test_strictness_is_an_option_of_both_kinds(image: Path) -> None:
    cut = image.with_name("cut.jpg")
    PIL.Image.open(image).convert("RGB").save(cut)
    cut.write_bytes(cut.read_bytes()[:-2])
    for strict in (False, True):
        task = Task(str(cut), str(image.with_name(f"{strict}.jpg")), options=BICUBIC)
        outcome = run(replace(task, image=ImageOptions(strict=strict), video=VideoOptions(strict=strict)))
        assert (outcome.error is not None) == strict
        assert len(outcome.lost) == (not strict)


def test_pipes_are_streams_of_the_client(image: Path) -> None:
    target = io.BytesIO()
    pipes = Pipes(io.BufferedReader(io.BytesIO(image.read_bytes())), target)
    task = Task("-", "-", options=BICUBIC, image=ImageOptions(ending=".webp"))
    assert run(task, pipes=pipes).error is None
    assert target.getvalue()[8:12] == b"WEBP"
    outcome = run(task)
    assert outcome.error is not None
    assert "none is connected" in outcome.error.text


def test_lost_metadata_is_part_of_the_outcome(image: Path) -> None:
    recorder = Recorder()
    outcome = run(Task(str(image), str(image.with_suffix(".jpg")), options=BICUBIC), recorder)
    assert outcome.error is None
    assert len(outcome.lost) == 1
    assert outcome.lost[0].text.startswith("JPEG has no transparency")
    assert tuple(recorder.warnings) == outcome.lost


def test_a_result_that_exists_is_an_error_or_skipped_or_overwritten(image: Path) -> None:
    target = image.with_name("b.png")
    target.write_bytes(b"precious")
    refused = run(Task(str(image), str(target), options=BICUBIC))
    assert refused.error is not None
    assert "exists" in refused.error.text
    skipped = run(Task(str(image), str(target), options=BICUBIC, skip_existing=True))
    assert (skipped.skipped, skipped.error) == (True, None)
    assert target.read_bytes() == b"precious"
    assert run(Task(str(image), str(target), options=BICUBIC, force=True)).error is None
    assert target.read_bytes() != b"precious"


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_stop_leaves_no_partial_file(kind: str, image: Path, video: Path) -> None:
    stop = Stop()
    recorder = Recorder(stop)
    folder = image.parent / "out"
    if kind == "image":
        PIL.Image.fromarray(np.zeros((700, 600, 3), np.uint8)).save(image)
    source = image if kind == "image" else video
    with pytest.raises(Stopped):
        run(Task(str(source), str(folder / f"b{source.suffix}"), options=BICUBIC), recorder, stop)
    assert recorder.reports[-1].done < 1
    assert list(folder.iterdir()) == []
    assert recorder.outcomes == []


def test_warnings_belong_to_the_task_that_caused_them(image: Path) -> None:
    Path(image.with_name("b.png")).write_bytes(image.read_bytes())
    both = threading.Barrier(2)
    outcomes: dict[str, Outcome] = {}

    class Together(Observer):
        def started(self, task: Task) -> None:
            both.wait(10)

    def one(name: str) -> None:
        source = image.with_name(name)
        outcomes[name] = run(Task(str(source), str(source.with_suffix(".jpg")), options=BICUBIC), Together())

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a.png", "b.png")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(outcomes[name].lost) for name in ("a.png", "b.png")] == [1, 1]


def test_tasks_of_equal_options_share_one_model() -> None:
    upscalers = Upscalers()
    assert upscalers.get(Options(model="bicubic")) is upscalers.get(Options(model="bicubic"))
    assert upscalers.get(Options(model="bicubic")) is not upscalers.get(Options(model="lanczos"))


def test_a_new_kind_is_one_line_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shout:
        """A kind of text files, whose result is in capital letters."""

        def accepts(self, source: Path | IO[bytes]) -> bool:
            return isinstance(source, Path) and source.suffix == ".txt"

        def run(
            self,
            task: Task,
            upscaler: Upscaler,
            source: Any,
            target: Any,
            observe: Callable[[Progress], None],
            stop: Stop,
        ) -> Outcome:
            target.write_text(source.read_text().upper())
            observe(Progress(1.0))
            return Outcome(task.source, task.target)

    monkeypatch.setitem(KINDS, "shout", Shout())
    (tmp_path / "a.txt").write_text("hello")
    recorder = Recorder()
    outcome = run(Task(str(tmp_path / "a.txt"), str(tmp_path / "b.txt"), options=BICUBIC), recorder)
    assert (outcome.kind, outcome.error) == ("shout", None)
    assert (tmp_path / "b.txt").read_text() == "HELLO"
    assert recorder.reports == [Progress(1.0)]


def test_an_internal_error_is_reported_with_its_location(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Upscaler, "file", fail)
    error = run(Task(str(image), str(image.with_name("b.png")), options=BICUBIC)).error
    assert error is not None
    assert error.text.startswith("internal error, please report it:\nTraceback")
    assert "unforeseen" in error.text
