"""Videos as test sets: they have the figures of their frames in a folder, and flicker as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity.errors import UsageError, Use
from hyperacuity.evaluate import EvaluationSetting, measure_images, summarise
from hyperacuity.evaluate.sets import find_images
from hyperacuity.evaluate.video_sets import FinishedVideo, FrameSelection, VideoSet, find_video
from hyperacuity.metrics import DEFAULT_VIDEO_METRICS
from hyperacuity.metrics.protocols import CLASSIC, PROTOCOLS
from hyperacuity.metrics.selection import select_metrics
from tests.evaluate.settings import load
from tests.video.videos import make, moving_frames

RGB = PROTOCOLS["rgb"]
ALL = FrameSelection()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make(tmp_path / "video.mkv", moving_frames(6, 60, 80), pixels="bgr0")


def make_video_setting(
    path: Path, how: Any = CLASSIC, frames: FrameSelection = ALL, names: Sequence[str] = ()
) -> EvaluationSetting:
    chosen = select_metrics(names or DEFAULT_VIDEO_METRICS)
    return EvaluationSetting(find_video(path, [2], chosen, frames), 2, how, chosen)


@pytest.mark.parametrize("model", ["bicubic", "acute-50k"])
@pytest.mark.parametrize("how", [CLASSIC, RGB])
def test_a_video_has_the_figures_of_its_frames_in_a_folder(model: str, how: Any, video: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for n, picture in enumerate(moving_frames(6, 60, 80)):
        PIL.Image.fromarray(picture).save(tmp_path / f"frames/{n:06}.png")
    upscaler = load(model)
    folder = EvaluationSetting(find_images(tmp_path / "frames", [2], select_metrics()), 2, how, select_metrics())
    own = list(measure_images({model: upscaler}, make_video_setting(video, how)))
    for one, other in zip(own, measure_images({model: upscaler}, folder), strict=True):
        assert one.name == other.name
        for name, score in other.measurements[model].scores.items():
            assert one.measurements[model].scores[name] == score
    row = summarise(model, upscaler, make_video_setting(video, how), [sample.measurements[model] for sample in own])
    assert (row.count, row.setting.images.name) == (6, "video.mkv")


def test_flicker_matches_its_definition(video: Path) -> None:
    bicubic = load("bicubic")
    every = list(measure_images({"bicubic": bicubic}, make_video_setting(video, RGB)))
    results = [sample.results["bicubic"].astype(float) for sample in every]
    truth = [sample.hr.astype(float) for sample in every]
    wanted = [np.abs((results[n] - results[n - 1]) - (truth[n] - truth[n - 1]))[2:-2, 2:-2].mean() for n in range(1, 6)]
    measured = [sample.measurements["bicubic"] for sample in every]
    assert math.isnan(measured[0].scores["flicker"])
    assert [one.scores["flicker"] for one in measured[1:]] == pytest.approx(wanted)
    row = summarise("bicubic", bicubic, make_video_setting(video, RGB), measured)
    assert row.scores["flicker"] == pytest.approx(np.mean(wanted))
    first_only = summarise("bicubic", bicubic, make_video_setting(video, RGB), measured[:1])
    assert first_only.record()["flicker"] == ""


def test_a_selection_of_frames_is_measured(video: Path) -> None:
    bicubic = {"bicubic": load("bicubic")}
    few = make_video_setting(video, frames=FrameSelection(Fraction(2, 25), stride=2, limit=2))
    assert few.images.count == 2
    whole = list(measure_images(bicubic, make_video_setting(video)))
    some = list(measure_images(bicubic, few))
    assert len(some) == 2
    for one, n in zip(some, (2, 4), strict=True):
        np.testing.assert_array_equal(one.hr, whole[n].hr)


def test_finished_videos_are_compared_with_the_original(video: Path, tmp_path: Path) -> None:
    same = list(measure_images({}, make_video_setting(video), {"a": FinishedVideo(video, _set(video))}))
    assert all(sample.measurements["a"].scores["psnr"] == math.inf for sample in same)
    assert same[1].measurements["a"].scores["flicker"] == 0
    row = summarise("a", None, make_video_setting(video), [sample.measurements["a"] for sample in same])
    assert row.record()["psnr"] == "inf"
    assert row.record()["seconds_per_megapixel"] == ""
    darker = make(tmp_path / "b.mkv", [picture // 2 for picture in moving_frames(6, 60, 80)], pixels="bgr0")
    other = next(measure_images({}, make_video_setting(video), {"b": FinishedVideo(darker, _set(video))}))
    assert other.measurements["b"].scores["psnr"] < 20
    with pytest.raises(UsageError, match=r"c\.mkv has 40 x 30 pixels, but .*video\.mkv has 80 x 60"):
        FinishedVideo(make(tmp_path / "c.mkv", moving_frames(6, 30, 40)), _set(video))
    short = make(tmp_path / "d.mkv", moving_frames(4, 60, 80), pixels="bgr0")
    with pytest.raises(UsageError, match=r"d\.mkv ends before .*video\.mkv") as short_error:
        list(measure_images({}, make_video_setting(video), {"d": FinishedVideo(short, _set(video))}))
    assert short_error.value.cures == (Use(frames="N"),)


def test_colours_follow_the_matrix_of_the_video(video: Path, tmp_path: Path) -> None:
    """YUV 4:4:4 gives the RGB values again, up to the rounding to 8 bits."""
    coded = make(tmp_path / "b.mkv", moving_frames(2, 60, 80), pixels="yuv444p")
    for frame, picture in zip(ALL.read(coded), moving_frames(2, 60, 80), strict=True):
        assert np.abs(frame.astype(int) - picture).max() <= 4
    grey = make(tmp_path / "c.mkv", moving_frames(2, 60, 80), pixels="gray")
    assert next(ALL.read(grey)).shape == (60, 80, 1)


def test_sets_that_do_not_fit_the_metric_raise(video: Path) -> None:
    with pytest.raises(UsageError, match="flicker is measured between the frames of a video"):
        find_images(video.parent, [2], select_metrics(["flicker"]))
    with pytest.raises(UsageError, match="too small for ms-ssim at x2: it has 80 x 60 pixels"):
        make_video_setting(video, names=["ms-ssim"])


def _set(video: Path) -> VideoSet:
    found = make_video_setting(video).images
    assert isinstance(found, VideoSet)
    return found
