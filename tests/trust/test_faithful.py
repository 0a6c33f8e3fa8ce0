"""Faithful results: the option, its automatic value, and what an outcome says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity.errors import UsageError
from hyperacuity.inspection import Inspection, choose_model, clean_options
from hyperacuity.size import Size
from hyperacuity.task import Options
from hyperacuity.trust import ConsistencyMeter, ConsistencyWarning, damping_of, lowest_lr_psnr, warn_of_departure


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.mark.parametrize("model", ["fsrcnn", "bicubic"])
def test_a_faithful_result_is_consistent_with_its_input(model: str, pixels: np.ndarray, tmp_path: Path) -> None:
    pixels = pixels // 2 + 64  # room for what the correction overshoots
    PIL.Image.fromarray(pixels).save(tmp_path / "in.png")
    values = []
    for faithful in (None, 0.5, 1):
        upscaler = hyperacuity.load(model, faithful=faithful)
        outcome = upscaler.file(tmp_path / "in.png", tmp_path / "out.png", 2, force=True)
        assert outcome.lr_psnr is not None
        values.append(outcome.lr_psnr)
    assert values == sorted(values)
    assert values[2] > 50


def test_what_faithful_may_be() -> None:
    assert (damping_of(None), damping_of(0), damping_of(1), damping_of("auto")) == (None, None, 0, 0)
    for wrong in (-0.1, 1.5, "exact"):
        with pytest.raises(UsageError, match="from 0"):
            Options(faithful=wrong)
    for right in (0.5, 1, "auto", None):
        options = Options(faithful=right)
        assert Options.from_json(options.to_json()) == options


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 1.0), (30.0, 0.0)])
def test_auto_is_faithful_to_clean_input_only(noise: float, expected: float) -> None:
    found = Inspection(100, 100, noise=noise, bandwidth=1.0)
    options, choice = choose_model(Options(model="fsrcnn", faithful="auto"), Size(2), lambda: found)
    assert (options.faithful, options.model, choice) == (expected, "fsrcnn", None)
    assert clean_options(Options(faithful="auto")).faithful == 1


def test_lr_psnr_is_missing_where_a_result_is_smaller(pixels: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(pixels).save(tmp_path / "in.png")
    outcome = hyperacuity.load("bicubic").file(tmp_path / "in.png", tmp_path / "out.png", 0.5)
    assert outcome.lr_psnr is None


def test_equal_images_have_100_db(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (20, 20), (9, 9, 9)).save(tmp_path / "in.png")
    assert hyperacuity.load("bicubic").file(tmp_path / "in.png", tmp_path / "out.png", 2).lr_psnr == 100


def test_a_result_that_departs_from_its_input_is_warned_of(pixels: np.ndarray) -> None:
    image = hyperacuity.image.Image.from_pixels(pixels)
    meter = ConsistencyMeter(image.header, 80, 100)
    meter.add_source(pixels)
    meter.add_result(np.zeros((80, 100, 3), np.uint8))
    lowest = lowest_lr_psnr([None, meter])
    assert lowest is not None
    assert lowest < 10
    with pytest.warns(ConsistencyWarning, match="departs from its input"):
        warn_of_departure([None, meter], "out.png")


def test_a_restored_image_of_the_same_size_is_not_warned_of(pixels: np.ndarray) -> None:
    meter = ConsistencyMeter(hyperacuity.image.Image.from_pixels(pixels).header, *pixels.shape[:2])
    meter.add_source(pixels)
    meter.add_result(np.zeros_like(pixels))
    warn_of_departure([meter], "out.png")


def test_noise_that_no_resampler_keeps_is_not_warned_of(pixels: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(pixels).save(tmp_path / "in.png")
    outcome = hyperacuity.load("bicubic").file(tmp_path / "in.png", tmp_path / "out.png", 2)
    assert outcome.lr_psnr is not None
    assert outcome.lr_psnr < 30
