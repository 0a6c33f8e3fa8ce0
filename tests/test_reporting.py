"""Reports about results."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import tasks, zoo
from hyperacuity.task import ImageOptions, Message, Options, Task
from hyperacuity.trust import legend


@pytest.fixture
def task(tmp_path: Path) -> Task:
    y, x = np.mgrid[:60, :80]
    levels = (128 + 90 * np.sin(x / 7) * np.cos(y / 5)).astype(np.uint8)
    PIL.Image.fromarray(np.stack([levels] * 3, -1)).save(tmp_path / "in <1>.png")
    image = ImageOptions(report=str(tmp_path / "report.json"))
    return Task(str(tmp_path / "in <1>.png"), str(tmp_path / "out.png"), options=Options(model="fsrcnn"), image=image)


def test_a_report_states_files_model_and_measurements(task: Task, tmp_path: Path) -> None:
    assert tasks.run(task).error is None
    report = json.loads((tmp_path / "report.json").read_text())
    for part, path in (("input", task.source), ("output", task.target)):
        assert report[part]["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert report["output"]["size"] == [160, 120]
    assert report["models"][0]["name"] == "fsrcnn-x2"
    assert report["models"][0]["licence"]
    weights = zoo.models()["fsrcnn-x2"].safetensors
    assert weights is not None
    assert report["models"][0]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert report["lr_psnr"] > 30
    assert sum(report["expected_errors"].values()) == pytest.approx(1, abs=1e-3)
    assert any("No detail finer than 2 pixels" in sentence for sentence in report["sentences"])


def test_a_page_is_one_file_without_addresses(task: Task, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert tasks.run(replace(task, image=ImageOptions(report=str(page)))).error is None
    text = page.read_text()
    assert "in &lt;1&gt;.png" in text
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"https?:|//[a-z]|<script|<link", re.sub(r"base64,[^\"]*", "", text))


def _dirty(task: Task, tmp_path: Path) -> Task:
    rng = np.random.default_rng(0)
    pixels = np.clip(rng.normal(120, 40, (90, 110, 3)), 0, 255).astype(np.uint8)
    PIL.Image.fromarray(pixels).resize((330, 270)).save(tmp_path / "in.jpg", quality=30)
    return replace(task, source=str(tmp_path / "in.jpg"))


def test_dirty_input_is_said_in_the_report_on_the_map_and_as_a_warning(task: Task, tmp_path: Path) -> None:
    messages: list[str] = []

    class Listener(tasks.Observer):
        def warned(self, task: Task, message: Message) -> None:
            messages.append(message.text)

    image = ImageOptions(report=str(tmp_path / "a.json"), error_map=str(tmp_path / "a.png"), error_map_look=True)
    assert tasks.run(replace(_dirty(task, tmp_path), image=image), Listener()).error is None
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["beyond_calibration"]
    assert any("not clean" in sentence and "larger" in sentence for sentence in report["sentences"])
    assert any("calibrated for clean input" in text for text in messages)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert picture.height == 540 + len(legend(660, dirty=True))


def test_a_model_that_invents_is_named_first(task: Task, tmp_path: Path) -> None:
    image = ImageOptions(report=str(tmp_path / "report.json"), samples=2)
    assert tasks.run(replace(task, options=Options(model="vae-x2"), image=image)).error is None
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sentences"][0].startswith("The model invents detail")
    assert report["models"][0]["invents_detail"]
    assert [sample["name"] for sample in report["samples"]] == [
        "out-sample-1.png",
        "out-sample-2.png",
        "out-spread.png",
    ]
