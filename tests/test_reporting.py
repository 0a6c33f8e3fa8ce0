"""Reports about results."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import tasks, zoo
from hyperacuity.size import Size
from hyperacuity.task import ImageOptions, Message, Options, Task
from hyperacuity.trust import SIDE, ReducedImage, legend


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


@pytest.mark.parametrize("size", [Size(scale=2.5), Size(scale=8), Size(width=100, height=60)])
def test_a_report_is_written_at_scales_without_error_maps(task: Task, tmp_path: Path, size: Size) -> None:
    page = tmp_path / "report.html"
    for path in (page, page.with_suffix(".json")):
        image = ImageOptions(report=str(path))
        assert tasks.run(replace(task, size=size, image=image, force=True)).error is None
    report = json.loads(page.with_suffix(".json").read_text())
    assert report["expected_errors"] is None
    assert report["lr_psnr"] > 30
    assert any("was not estimated" in sentence for sentence in report["sentences"])
    assert page.read_text().count("data:image/png;base64,") == 2


def test_there_is_no_report_about_a_smaller_result(task: Task) -> None:
    error = tasks.run(replace(task, size=Size(scale=0.5))).error
    assert error is not None
    assert "not smaller than its input" in error.text
    assert not Path(task.target).exists()


def test_a_report_says_that_a_foreign_model_was_not_measured(task: Task, tmp_path: Path) -> None:
    model = zoo.models()["fsrcnn-x2"].safetensors
    assert model is not None
    for name, own in (("fsrcnn-x2", True), ("foreign-x2", False)):
        weights = tmp_path / f"{name}.safetensors"
        weights.write_bytes(model.read_bytes().replace(b"fsrcnn-x2", name.encode()[:9].ljust(9, b"-")))
        report = tmp_path / "report.json"
        assert tasks.run(replace(task, options=Options(model_path=str(weights)), force=True)).error is None
        content = json.loads(report.read_text())
        assert content["calibrated_for_model"] is own
        assert any("was not measured" in sentence for sentence in content["sentences"]) is not own


def test_a_model_that_restores_is_said_to_remove_detail(task: Task, tmp_path: Path) -> None:
    assert tasks.run(replace(task, options=Options(model="photo-x2"))).error is None
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sentences"][0].startswith(("The model removes", "The model invents"))


def test_images_of_a_page_have_texts_for_those_who_do_not_see_them(task: Task, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert tasks.run(replace(task, image=ImageOptions(report=str(page)))).error is None
    texts = re.findall(r'<img[^>]* alt="([^"]*)"', page.read_text())
    assert len(texts) == 3
    assert all(texts)


def test_images_of_a_page_are_small_copies_of_those_in_the_files(task: Task, tmp_path: Path) -> None:
    pixels = np.zeros((30, 700, 3), np.uint8)
    pixels[:, 350:] = (250, 120, 10)
    PIL.Image.fromarray(pixels).save(task.source)
    page = tmp_path / "report.html"
    assert (
        tasks.run(replace(task, options=Options(model="bicubic"), image=ImageOptions(report=str(page)))).error is None
    )
    addresses = re.findall(r"base64,([^\"]*)", page.read_text())
    source, result, errors = (np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(each)))) for each in addresses)
    assert source.shape == (15, 350, 3)
    assert result.shape == (20, 467, 3)
    assert (source[5, 10] == 0).all()
    assert (source[5, 340] == (250, 120, 10)).all()
    assert np.abs(result[10, 460].astype(int) - (250, 120, 10)).max() <= 1
    assert errors.shape[1] == 467


@pytest.mark.parametrize(("shape", "parts"), [((7, 1000), (3, 7)), ((1000, 9, 3), (1, 480, 1000)), ((5, 6), (5,))])
def test_a_small_copy_holds_the_means_of_squares(shape: tuple[int, ...], parts: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    small, start = ReducedImage(*shape[:2]), 0
    for stop in parts:
        small.add(image[start:stop])
        start = stop
    step = max(1, -(-max(shape[:2]) // SIDE))
    for row, column in ((0, 0), (-(-shape[0] // step) - 1, -(-shape[1] // step) - 1)):
        square = image[row * step : (row + 1) * step, column * step : (column + 1) * step]
        np.testing.assert_allclose(small.pixels[row, column], square.mean((0, 1)), rtol=1e-5)
