"""A large image in bands of rows: the file of one machine, byte for byte."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity.cluster import planning
from hyperacuity.cluster.kinds import band
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import DONE, FAILED
from hyperacuity.cluster.work import Worker
from hyperacuity.errors import UsageError
from hyperacuity.size import Size
from hyperacuity.stores import join, open_store
from hyperacuity.task import ImageOptions, Options, Outcome
from hyperacuity.upscaler import find_family
from tests.cluster.images import alone, left_over, planned, written
from tests.cluster.plans import files_below, on_one_machine, template, work_all
from tests.cluster.plans import planned as make

FAST = Options(model="fsrcnn", engine="onnxruntime")


@pytest.fixture(autouse=True)
def _small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(band, "BAND_PIXELS", 6000)
    monkeypatch.setattr(band.split, "__kwdefaults__", {"least_pixels": 1, "band_pixels": 6000})


def done(plan: Plan, seed: int = 0) -> tuple[Outcome, ...]:
    """Do all tasks, those of a level in any order. Returns the outcomes of the files."""
    worker = Worker(plan)
    outcomes: list[Outcome] = []
    for numbers in plan.levels:
        order = list(numbers)
        random.Random(seed).shuffle(order)
        for number in order:
            report = worker.work_on(number)
            assert report.state == DONE, report.outcomes
            outcomes += report.outcomes
    return tuple(outcomes)


CASES: list[tuple[str, int, Any, str, float, Options]] = [
    ("a.png", 3, np.uint8, ".png", 2, FAST),
    ("a.png", 4, np.uint8, ".png", 2, FAST),
    ("a.png", 2, np.uint16, ".tif", 2, replace(FAST, faithful=1.0)),
    ("a.jpg", 3, np.uint8, ".jpg", 3.5, FAST),
    ("a.tif", 3, np.uint8, ".tif", 2, Options(model="acute-10k")),
    ("a.tif", 3, np.uint16, ".png", 3.5, FAST),
    ("a.tif", 4, np.float32, ".tif", 2, FAST),
    ("a.tif", 1, np.float32, ".tif", 3.5, Options(model="acute-10k")),
    ("a.webp", 3, np.uint8, ".webp", 2, replace(FAST, tta=True)),
    ("a.png", 3, np.uint8, ".png", 2, Options()),
]


@pytest.mark.parametrize(("name", "channels", "dtype", "ending", "scale", "options"), CASES)
def test_the_result_is_the_file_of_one_machine(
    name: str, channels: int, dtype: Any, ending: str, scale: float, options: Options, tmp_path: Path
) -> None:
    source = written(tmp_path / name, channels, dtype)
    (tmp_path / "alone").mkdir()
    wanted = alone(source, tmp_path / "alone" / f"b{ending}", options, Size(scale))
    plan, summary = planned([source], tmp_path / f"b{ending}", tmp_path / "plan", options, Size(scale))
    assert summary.tasks["band"] >= 4
    with plan:
        (outcome,) = done(plan, seed=len(ending))
        assert (tmp_path / f"b{ending}").read_bytes() == (tmp_path / "alone" / f"b{ending}").read_bytes()
        assert replace(outcome, seconds=0, target="") == replace(wanted, seconds=0, target="")
        assert not list(left_over(plan))


def test_integers_in_a_plain_tiff_need_no_preparation(tmp_path: Path) -> None:
    written(tmp_path / "a.tif")
    plan, summary = planned([tmp_path / "a.tif"], tmp_path / "b.tif", tmp_path / "plan", FAST, Size(2))
    plan.close()
    assert set(summary.tasks) == {"band", "image-join"}
    written(tmp_path / "a.png")
    plan, summary = planned([tmp_path / "a.png"], tmp_path / "b.png", tmp_path / "plan-2", FAST, Size(2))
    plan.close()
    assert summary.tasks["image-source"] == 1


def test_a_result_may_have_more_pixels_than_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "6000")
    source = written(tmp_path / "a.png")
    plan, _ = planned([source], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    with plan:
        (outcome,) = done(plan)
    assert outcome.error is None


def test_doing_a_task_twice_is_harmless(tmp_path: Path) -> None:
    source = written(tmp_path / "a.png")
    plan, _ = planned([source], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    with plan:
        worker = Worker(plan)
        for number in (0, 1, 1, 0, 2):
            assert worker.work_on(number, take=True).state == DONE
        done(plan)
        before = (tmp_path / "b.png").read_bytes()
        done(plan)  # all is there
        assert (tmp_path / "b.png").read_bytes() == before
        assert not list(left_over(plan))


def test_a_source_that_changes_fails_with_its_name(tmp_path: Path) -> None:
    source = written(tmp_path / "a.png")
    plan, _ = planned([source], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    with plan:
        worker = Worker(plan)
        assert worker.work_on(0).state == DONE
        written(source, height=121)
        report = worker.work_on(1)
        assert report.state == FAILED
        assert "a.png has changed since the plan was made" in str(report.outcomes[0].error)


def test_a_part_that_is_cut_short_fails(tmp_path: Path) -> None:
    source = written(tmp_path / "a.png")
    plan, _ = planned([source], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    with plan:
        worker = Worker(plan)
        for number in plan.levels[0] + plan.levels[1]:
            worker.work_on(number)
        part = Path(plan.part(2))
        part.write_bytes(part.read_bytes()[:-1])
        report = worker.work_on(plan.levels[2][0])
        assert report.state == FAILED
        assert "cut short" in str(report.outcomes[0].error)
        assert not (tmp_path / "b.png").exists()


def test_what_is_done_as_one_task_is_said(tmp_path: Path) -> None:
    source = written(tmp_path / "a.png")
    plan, summary = planned([source], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2), band_from=120 * 50 + 1)
    plan.close()
    assert summary.tasks == {"files": 1}
    assert summary.whole == []
    pages = tmp_path / "pages.tif"
    import tifffile

    tifffile.imwrite(pages, np.zeros((3, 120, 50), np.uint8), photometric="minisblack")
    plan, summary = planned([pages], tmp_path / "c.tif", tmp_path / "plan-2", FAST, Size(2))
    plan.close()
    assert summary.whole == [(str(pages), "it holds 3 images")]


def test_a_network_on_the_whole_image_is_not_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model, *_) = find_family(FAST)
    whole = replace(model, card=replace(model.card, whole=True))
    monkeypatch.setattr(band, "find_family", lambda options: [whole])
    plan, summary = planned([written(tmp_path / "a.png")], tmp_path / "b.png", tmp_path / "plan", FAST, Size(2))
    plan.close()
    assert "takes statistics of the whole image" in summary.whole[0][1]


def test_samples_of_a_large_image_are_one_task(tmp_path: Path) -> None:
    """It says so, and writes all the files that one machine does."""
    source = written(tmp_path / "a.png")
    request = template(options=Options(model="vae"), image=ImageOptions(samples=2))
    on_one_machine(str(source), f"{tmp_path / 'one'}/", request)
    summary = make(str(source), f"{tmp_path / 'many'}/", str(tmp_path / "plan"), request, band_from=1)
    assert summary.whole == [(str(source), "several results are drawn from it")]
    assert summary.tasks == {"files": 1}
    (report,) = work_all(str(tmp_path / "plan"))
    assert report.state == DONE
    names = ["a-sample-1.png", "a-sample-2.png", "a-spread.png"]
    assert report.outcomes[0].samples == tuple(str(tmp_path / "many" / name) for name in names)
    assert list(files_below(tmp_path / "one")) == [*names, "a.png"]
    assert files_below(tmp_path / "many") == files_below(tmp_path / "one")


def test_samples_overwrite_nothing(tmp_path: Path) -> None:
    source = written(tmp_path / "a.png")
    request = template(options=Options(model="vae"), image=ImageOptions(samples=2))
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a-sample-1.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"a-sample-1\.png exists"):
        make(str(source), f"{tmp_path / 'many'}/", str(tmp_path / "plan"), request)
    (tmp_path / "a-sample-2.png").write_bytes(source.read_bytes())
    inputs = [str(source), str(tmp_path / "a-sample-2.png")]
    with pytest.raises(UsageError, match=r"a-sample-2\.png would be a result and a sample"):
        make(inputs, f"{tmp_path / 'other'}/", str(tmp_path / "plan"), request)


def test_float_images_with_nan_fail_in_their_first_task(tmp_path: Path) -> None:
    import tifffile

    pixels = np.full((120, 50), 0.5, np.float32)
    pixels[100, 7] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    plan, _ = planned([tmp_path / "a.tif"], tmp_path / "b.tif", tmp_path / "plan", FAST, Size(2))
    with plan:
        report = Worker(plan).work_on(0)
        assert report.state == FAILED
        assert "NaN or Inf" in str(report.outcomes[0].error)


@pytest.mark.cluster
def test_bands_of_an_object_store_are_the_same(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_LARGE", 0)
    source = written(tmp_path / "a.png", 4)
    store = open_store(s3)
    store.publish(source, join(s3, "in", "a.png"), "test")
    request = template(size=Size(2), options=FAST)
    make(join(s3, "in", "a.png"), join(s3, "out", "b.png"), join(s3, "plan"), request, band_from=1)
    with Plan(join(s3, "plan")) as plan:
        assert len(plan.levels) == 3
        done(plan)
        assert not any(plan.has_part(number) for number in range(len(plan)))
    store.fetch(join(s3, "out", "b.png"), tmp_path / "b.png")
    alone(source, tmp_path / "wanted.png", FAST, Size(2))
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "wanted.png").read_bytes()
