"""Reports about results."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import tasks
from hyperacuity.task import ImageOptions, Options, Task


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
    assert report["lr_psnr"] > 30
    assert sum(report["expected_errors"].values()) == pytest.approx(1, abs=1e-3)
    assert any("No detail finer than 2 pixels" in sentence for sentence in report["sentences"])


def test_a_page_is_one_file_without_addresses(task: Task, tmp_path: Path) -> None:
    from dataclasses import replace

    page = tmp_path / "report.html"
    assert tasks.run(replace(task, image=ImageOptions(report=str(page)))).error is None
    text = page.read_text()
    assert "in &lt;1&gt;.png" in text
    assert text.count("data:image/png;base64,") == 2
    assert not re.search(r"https?:|//[a-z]|<script|<link", re.sub(r"base64,[^\"]*", "", text))
