"""Error maps: tiles against the whole, the spool of luma, calibration, the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import trust
from hyperacuity.calibrating import calibrate
from hyperacuity.error_maps import ErrorMapRequest
from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.image import Header
from hyperacuity.trust import Calibration, ErrorShares, LumaSpool, error_network
from hyperacuity.trust.spread import REACH


@pytest.fixture
def photo() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(0, 1, (96, 120, 3)), 0), 1)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    smooth[30:60, 40:80] = rng.uniform(0, 255, (30, 40, 3))
    return np.asarray(np.rint(smooth), np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_give_the_map_of_the_whole(scale: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    source = rng.uniform(0, 255, (50, 70)).astype(np.float32)
    result = rng.uniform(0, 255, (50 * scale, 70 * scale)).astype(np.float32)
    whole = trust.compute_error_map(source, result)
    monkeypatch.setattr(error_network, "_ROWS", 16)
    monkeypatch.setattr(error_network, "_COLUMNS", 20)
    tiled = trust.compute_error_map(source, result)
    assert whole.shape == result.shape
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(tiled, whole, rtol=1e-4)


def test_busy_places_have_larger_errors_than_flat_ones(photo: np.ndarray) -> None:
    upscaler = hyperacuity.load("fsrcnn")
    errors = upscaler.error_map(photo, upscaler.array(photo, 2))
    assert errors.dtype == np.float32
    assert errors[70:110, 90:150].mean() > 3 * errors[150:180, 10:60].mean()


def test_grey_levels_do_not_depend_on_the_type_of_the_pixels(photo: np.ndarray) -> None:
    upscaler = hyperacuity.load("fsrcnn")
    deep = photo.astype(np.uint16) * 257
    shallow_map = upscaler.error_map(photo, upscaler.array(photo, 2))
    deep_map = upscaler.error_map(deep, upscaler.array(deep, 2))
    busy = (slice(70, 110), slice(90, 150))
    assert np.median(deep_map[busy] / shallow_map[busy]) == pytest.approx(1, abs=0.1)


def test_there_are_maps_only_for_whole_scales(photo: np.ndarray) -> None:
    upscaler = hyperacuity.load("bicubic")
    with pytest.raises(UsageError, match="exactly 2, 3 or 4 times"):
        upscaler.error_map(photo, upscaler.array(photo, 2.5))


def test_luma_is_spooled_in_steps_of_a_256th() -> None:
    levels = np.linspace(0, 255, 60, dtype=np.float32).reshape(10, 6)
    with LumaSpool(10, 6) as spool:
        spool.add(levels[:4])
        spool.add(levels[4:])
        np.testing.assert_allclose(spool.rows(2, 9), levels[2:9], atol=1 / 512)
        assert [len(block) for block in spool.blocks(4)] == [4, 4, 2]


def test_luma_of_colours_ignores_alpha() -> None:
    header = Header(1, 2, 4, np.dtype(np.uint8), (0, 255), alpha=True)
    rows = np.array([[[255, 255, 255, 0], [255, 0, 0, 9]]], np.uint8)
    np.testing.assert_allclose(trust.luma_levels(rows, header), [[255, 76.245]], rtol=1e-5)


@pytest.fixture
def heavy_tailed() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    predicted = np.exp(rng.normal(0, 1, 60_000)).astype(np.float32)
    return predicted, np.abs(rng.standard_t(3, 60_000) * predicted**1.3).astype(np.float32)


def test_the_calibrated_interval_covers_90_percent_of_other_pixels(heavy_tailed: tuple[Any, Any]) -> None:
    predicted, errors = heavy_tailed
    calibration = Calibration.fit(predicted[::2], errors[::2])
    width = calibration.apply(predicted[1::2])
    covered = errors[1::2] <= width
    assert covered.mean() == pytest.approx(0.9, abs=0.01)
    for fifth in np.array_split(np.argsort(width), 5):
        assert 0.85 < covered[fifth].mean() < 0.95


def test_a_calibration_survives_its_file(heavy_tailed: tuple[Any, Any], tmp_path: Path) -> None:
    calibration = Calibration.fit(*heavy_tailed, model="mine-x2", data="noise")
    calibration.save(tmp_path / "a.json")
    assert Calibration.load(tmp_path / "a.json") == calibration
    for broken in ("{}", "[]", '{"levels": [1, 1], "factors": [1, 1]}', '{"levels": [0], "factors": [1]}', "x"):
        (tmp_path / "b.json").write_text(broken)
        with pytest.raises(WeightsError, match="not a calibration"):
            Calibration.load(tmp_path / "b.json")
    with pytest.raises(UsageError, match="cannot be read"):
        Calibration.load(tmp_path / "missing.json")


def test_too_few_pixels_are_no_calibration() -> None:
    with pytest.raises(UsageError, match="too few"):
        Calibration.fit(np.ones(50, np.float32), np.ones(50, np.float32))


def test_models_without_a_calibration_get_that_of_models_in_general() -> None:
    assert trust.find_calibration("bicubic", 3).model == "bicubic"
    assert trust.find_calibration("somebody-elses", 4) == trust.find_calibration("any", 4)


def test_images_of_the_user_calibrate_a_model(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "a.png")
    calibration = calibrate(hyperacuity.load("bicubic"), [tmp_path / "a.png"], 2)
    assert calibration.model == "bicubic"
    assert min(calibration.factors) > 0


def test_a_map_is_written_with_256_for_a_grey_level(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    upscaler = hyperacuity.load("fsrcnn")
    request = ErrorMapRequest(tmp_path / "map.png")
    outcome = upscaler.file(tmp_path / "in.png", tmp_path / "out.png", 2, error_map=request)
    written = np.asarray(PIL.Image.open(tmp_path / "map.png"))
    expected = upscaler.error_map(photo, np.asarray(PIL.Image.open(tmp_path / "out.png")))
    np.testing.assert_allclose(written / 256, np.minimum(expected, 65535 / 256), atol=0.01, rtol=1e-3)
    assert outcome.expected_errors is not None
    assert sum(outcome.expected_errors.values()) == pytest.approx(1, abs=1e-3)


def test_the_look_has_a_legend_below(photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    request = ErrorMapRequest(tmp_path / "look.png", look=True)
    hyperacuity.load("fsrcnn").file(tmp_path / "in.png", tmp_path / "out.png", 2, error_map=request)
    look = np.asarray(PIL.Image.open(tmp_path / "look.png"))
    assert look.shape == (192 + len(trust.legend(240)), 240, 3)


def test_colours_become_lighter_with_the_error() -> None:
    errors = np.geomspace(1, 32, 40, dtype=np.float32)[None]
    lightness = trust.coloured(errors)[0] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).all()


def test_maps_are_for_single_images_and_formats_of_16_bits(tmp_path: Path) -> None:
    frames = [PIL.Image.new("L", (32, 32), level) for level in (10, 200)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(UsageError, match="single images"):
        hyperacuity.load("fsrcnn").file(tmp_path / "in.gif", tmp_path / "out.gif", 2, error_map=ErrorMapRequest())
    with pytest.raises(UsageError, match=r"written as \.png or \.tif"):
        ErrorMapRequest(tmp_path / "map.jpg")


def test_shares_count_pixels_by_expected_error() -> None:
    shares = ErrorShares()
    list(shares.observed(iter([np.array([[1, 2, 3, 20]], np.float32)])))
    assert list(shares.shares.values()) == [0.25, 0.5, 0, 0, 0.25]
    assert shares.mean == 6.5


def test_the_spread_over_flips_is_that_of_the_eight_results(photo: np.ndarray) -> None:
    upscaler = hyperacuity.load("fsrcnn")
    results = []
    for turn in range(4):
        for flip in (1, -1):
            made = upscaler.array(np.ascontiguousarray(np.rot90(photo, turn)[:, ::flip]), 2)
            results.append(np.rot90(made[:, ::flip], -turn))
    luma = np.stack(results).astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    spread = upscaler.error_map(photo, upscaler.array(photo, 2), "tta", Calibration())
    padded = np.pad(luma.std(0, ddof=1), REACH, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * REACH + 1,) * 2)
    np.testing.assert_allclose(spread, windows.mean((2, 3)) + 0.1, atol=0.02)


@pytest.mark.parametrize(("model", "source"), [("fsrcnn-x2", "tta"), ("vae-x2", "samples")])
def test_a_map_of_a_spread_is_written(model: str, source: str, photo: np.ndarray, tmp_path: Path) -> None:
    PIL.Image.fromarray(photo).save(tmp_path / "in.png")
    upscaler = hyperacuity.load(model)
    mine = Calibration((1.0, 50.0), (2.0, 3.0))
    mine.save(tmp_path / "mine.json")
    request = ErrorMapRequest(tmp_path / "map.png", source=source, calibration=tmp_path / "mine.json")
    upscaler.file(tmp_path / "in.png", tmp_path / "out.png", 2, error_map=request)
    with PIL.Image.open(tmp_path / "map.png") as image:
        written = np.asarray(image)
    expected = upscaler.error_map(photo, upscaler.array(photo, 2), source, mine)
    np.testing.assert_allclose(written / 256, expected, atol=0.01, rtol=1e-3)
    assert expected.max() > 2 * expected.min()


def test_spreads_of_every_scale_are_calibrated() -> None:
    for scale in (2, 3, 4):
        assert trust.find_calibration("somebody-elses", scale, "tta") == trust.find_calibration("any", scale, "tta")
    with pytest.raises(UsageError, match="no calibration of the spread of samples"):
        trust.find_calibration("fsrcnn", 2, "samples")


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(UsageError, match="network, tta, samples"):
        ErrorMapRequest(source="luck")


def test_a_model_without_samples_has_no_map_of_them(photo: np.ndarray) -> None:
    upscaler = hyperacuity.load("fsrcnn")
    with pytest.raises(UsageError, match=r"no calibration|draws no samples"):
        upscaler.error_map(photo, upscaler.array(photo, 2), "samples")


def test_the_legend_of_dirty_input_has_one_more_line() -> None:
    for width in (20, 150, 700):
        plain, dirty = trust.legend(width), trust.legend(width, dirty=True)
        assert len(dirty) > len(plain)
        assert dirty[len(plain) :].any()
        assert dirty.shape[1] == width
