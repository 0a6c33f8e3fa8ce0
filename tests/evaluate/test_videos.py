"""Videos as test sets: the same figures as those of their frames in a folder, and how they flicker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import evaluate, metrics
from hyperacuity.errors import UsageError
from hyperacuity.evaluate import Setting, measures, sets, videos
from hyperacuity.evaluate.videos import Frames, Made
from tests.video.videos import make, pictures

CLASSIC, RGB = evaluate.protocol("classic"), evaluate.protocol("rgb")
ALL = Frames()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make(tmp_path / "video.mkv", pictures(6, 60, 80), pixels="bgr0")


def setting(path: Path, how: Any = CLASSIC, frames: Frames = ALL, names: Sequence[str] = ()) -> Setting:
    chosen = measures.chosen(names or measures.DEFAULT_OF_VIDEOS)
    return Setting(videos.find(path, [2], chosen, frames), 2, how, chosen)


@pytest.mark.parametrize("model", ["bicubic", "acute-50k"])
@pytest.mark.parametrize("how", [CLASSIC, RGB])
def test_a_video_is_measured_as_its_frames_in_a_folder(model: str, how: Any, video: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for n, picture in enumerate(pictures(6, 60, 80)):
        PIL.Image.fromarray(picture).save(tmp_path / f"frames/{n:06}.png")
    upscaler = hyperacuity.load(model)
    folder = Setting(sets.find(tmp_path / "frames", [2], measures.chosen()), 2, how, measures.chosen())
    own = list(evaluate.samples({model: upscaler}, setting(video, how)))
    for one, other in zip(own, evaluate.samples({model: upscaler}, folder), strict=True):
        assert one.name == other.name
        for name, score in other.measured[model].scores.items():
            assert one.measured[model].scores[name] == score
    row = evaluate.row(model, upscaler, setting(video, how), [sample.measured[model] for sample in own])
    assert (row.count, row.setting.pictures.name) == (6, "video.mkv")


def test_flicker_is_what_its_definition_says(video: Path) -> None:
    bicubic = hyperacuity.load("bicubic")
    every = list(evaluate.samples({"bicubic": bicubic}, setting(video, RGB)))
    results = [sample.results["bicubic"].astype(float) for sample in every]
    truth = [sample.hr.astype(float) for sample in every]
    wanted = [np.abs((results[n] - results[n - 1]) - (truth[n] - truth[n - 1]))[2:-2, 2:-2].mean() for n in range(1, 6)]
    measured = [sample.measured["bicubic"] for sample in every]
    assert math.isnan(measured[0].scores["flicker"])
    assert [one.scores["flicker"] for one in measured[1:]] == pytest.approx(wanted)
    row = evaluate.row("bicubic", bicubic, setting(video, RGB), measured)
    assert row.scores["flicker"] == pytest.approx(np.mean(wanted))
    alone = evaluate.row("bicubic", bicubic, setting(video, RGB), measured[:1])
    assert alone.record()["flicker"] == ""


def test_a_steady_error_does_not_flicker_and_a_changing_one_does() -> None:
    rng = np.random.default_rng(0)
    frames, error = rng.integers(0, 255, (2, 20, 30)), rng.integers(-5, 5, (20, 30))
    steady = metrics.flicker(frames[1] + error, frames[0] + error, frames[1], frames[0], border=2)
    changing = metrics.flicker(frames[1] + error, frames[0] - error, frames[1], frames[0], border=2)
    assert steady == 0
    assert changing == pytest.approx(np.abs(2 * error)[2:-2, 2:-2].mean())


def test_some_of_a_long_video_are_enough(video: Path) -> None:
    bicubic = {"bicubic": hyperacuity.load("bicubic")}
    few = setting(video, frames=Frames(Fraction(2, 25), stride=2, most=2))
    assert few.pictures.count == 2
    whole = list(evaluate.samples(bicubic, setting(video)))
    some = list(evaluate.samples(bicubic, few))
    assert len(some) == 2
    for one, n in zip(some, (2, 4), strict=True):
        np.testing.assert_array_equal(one.hr, whole[n].hr)


def test_videos_that_were_made_before_are_held_against_the_original(video: Path, tmp_path: Path) -> None:
    same = list(evaluate.samples({}, setting(video), {"a": Made(video, _set(video))}))
    assert all(sample.measured["a"].scores["psnr"] == math.inf for sample in same)
    assert same[1].measured["a"].scores["flicker"] == 0
    row = evaluate.row("a", None, setting(video), [sample.measured["a"] for sample in same])
    assert row.record()["psnr"] == "inf"
    assert row.record()["seconds_per_megapixel"] == ""
    darker = make(tmp_path / "b.mkv", [picture // 2 for picture in pictures(6, 60, 80)], pixels="bgr0")
    other = next(evaluate.samples({}, setting(video), {"b": Made(darker, _set(video))}))
    assert other.measured["b"].scores["psnr"] < 20
    with pytest.raises(UsageError, match=r"c\.mkv has 40 x 30 pixels and .*video\.mkv 80 x 60"):
        Made(make(tmp_path / "c.mkv", pictures(6, 30, 40)), _set(video))
    short = make(tmp_path / "d.mkv", pictures(4, 60, 80), pixels="bgr0")
    with pytest.raises(UsageError, match=r"d\.mkv ends before .*video\.mkv: give --frames"):
        list(evaluate.samples({}, setting(video), {"d": Made(short, _set(video))}))


def test_colours_are_by_the_videos_own_matrix(video: Path, tmp_path: Path) -> None:
    """What YUV 4:4:4 is made of again, to what 8 bits lose."""
    coded = make(tmp_path / "b.mkv", pictures(2, 60, 80), pixels="yuv444p")
    for frame, picture in zip(ALL.of(videos._opened(coded, ALL)), pictures(2, 60, 80), strict=True):
        assert np.abs(frame.astype(int) - picture).max() <= 4
    grey = make(tmp_path / "c.mkv", pictures(2, 60, 80), pixels="gray")
    assert next(ALL.of(videos._opened(grey, ALL))).shape == (60, 80, 1)


def test_mistakes_are_named(video: Path) -> None:
    with pytest.raises(UsageError, match="flicker is measured between the frames of a video"):
        sets.find(video.parent, [2], measures.chosen(["flicker"]))
    with pytest.raises(UsageError, match="too small for ms-ssim at x2: of 80 x 60 pixels"):
        setting(video, names=["ms-ssim"])


def _set(video: Path) -> videos.VideoSet:
    found = setting(video).pictures
    assert isinstance(found, videos.VideoSet)
    return found
