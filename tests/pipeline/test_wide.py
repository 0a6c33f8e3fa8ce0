"""Values outside [0, 1] and measured images: offsets, hot pixels, invalid pixels, bands, integers of any type."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity.api import load
from hyperacuity.image import Image, Measured, Strips, Survey
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.resize import resize
from hyperacuity.values import survey
from tests.engines import Blur
from tests.pipeline.images import enlarged, noisy_image


def scene(side: int = 192, channels: int = 1) -> NDArray[np.float32]:
    """Edges of all directions on a gradient, in [0, 1]."""
    y, x = np.mgrid[:side, :side] / side
    rings = 0.5 + 0.4 * np.tanh(12 * np.sin(22 * np.hypot(x - 0.3, y - 0.45))) * (0.5 + 0.5 * x)
    planes = [np.clip(rings * (1 - 0.1 * n) + 0.1 * y, 0, 1) for n in range(channels)]
    return np.stack(planes, axis=2).astype(np.float32)


def gain(
    hr: NDArray[Any], low: NDArray[Any], moved: Any, back: Any, measured: Measured | None, hot: float = 0
) -> float:
    """dB over bicubic after a change of values that `back` undoes; not counted around the hot pixel."""
    changed = moved(low).astype(np.float32)
    if hot:
        changed[40, 40] = hot * changed.max()
    image = Image.from_pixels(changed, measured=measured)
    height, width = hr.shape[:2]
    ours = back(load("acute-10k").stream(image, 2).gather().pixels)
    bicubic = back(resize(changed, size=(height, width)))
    keep = np.ones((height, width), bool)
    if hot:
        keep[40:120, 40:120] = False

    def psnr(pixels: NDArray[Any]) -> float:
        return float(-10 * np.log10(np.mean((pixels - hr)[keep].astype(np.float64) ** 2)))

    return psnr(ours) - psnr(bicubic)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("measured", [None, Measured()])
def test_no_offset_factor_or_hot_pixel_costs_the_gain_over_bicubic(channels: int, measured: Measured | None) -> None:
    hr = scene(channels=channels)
    low = resize(hr, size=(96, 96))
    plain = gain(hr, low, lambda v: v, lambda v: v, measured)
    assert plain > 0.5
    changes: list[tuple[Any, Any, float]] = [
        (lambda v: v + 0.5, lambda v: v - 0.5, 0),
        (lambda v: v - 0.24, lambda v: v + 0.24, 0),
        (lambda v: v * 2, lambda v: v / 2, 0),
        (lambda v: v / 16, lambda v: v * 16, 0),
        (lambda v: v * 4000 - 1000, lambda v: (v + 1000) / 4000, 0),
        (lambda v: v, lambda v: v, 20),
        (lambda v: v * 3 + 7, lambda v: (v - 7) / 3, 20),
    ]
    for forth, back, hot in changes:
        assert gain(hr, low, forth, back, measured, hot) > plain - 0.3


def test_a_hot_pixel_is_enlarged_and_not_clipped() -> None:
    pixels = noisy_image(32, 32, 1, np.float32).pixels
    pixels[10, 10] = 50
    result = enlarged(Image.from_pixels(pixels), Blur(halo=0))
    np.testing.assert_allclose(result.max(), resize(pixels, scale=2).max(), rtol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("network_channels", [1, 3])
def test_each_band_of_any_type_is_an_image_of_its_own(dtype: Any, network_channels: int) -> None:
    offset = {"i": -100, "u": 0, "f": -3.25}[np.dtype(dtype).kind]
    pixels = (np.random.default_rng(1).random((20, 24, 5)) * 120 + offset).astype(dtype)
    pixels[..., 3] = 7
    image = Image.from_pixels(pixels, measured=Measured())
    result = enlarged(image, Blur(halo=0, channels=network_channels))
    assert result.dtype == dtype
    expected = pixels.repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)
    assert (result[..., 3] == 7).all()
    single = replace(image.header, channels=1)
    for n in range(5):
        band = enlarged(Image(single, pixels[..., n : n + 1]), Blur(halo=0, channels=network_channels))
        np.testing.assert_array_equal(band[..., 0], result[..., n])


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("size", [(80, 80), (108, 66), (20, 30)])
def test_invalid_pixels_neither_bleed_nor_move(dtype: Any, size: tuple[int, int]) -> None:
    pixels = (noisy_image(40, 40, 1, np.float32).pixels * 1000).astype(dtype)
    pixels[:15, :12] = pixels[30, 30] = -9999
    clean = np.where(pixels == -9999, pixels[20, 20], pixels)
    image = Image.from_pixels(pixels, measured=Measured(invalid=(-9999, -9999)))
    result = enlarged(image, Blur(halo=1, channels=1), size)
    invalid = resize((pixels == -9999).astype(np.uint8), size=size, kernel="nearest") > 0
    np.testing.assert_array_equal(result == -9999, invalid)
    assert result[~invalid].min() > clean.min() - 300
    if dtype == np.float32:
        image.pixels[image.pixels == -9999] = np.nan
        again = enlarged(replace(image, header=replace(image.header, measured=Measured())), Blur(channels=1), size)
        np.testing.assert_array_equal(np.isnan(again), invalid)


def test_poison_changes_nothing_far_away() -> None:
    pixels = scene(64) * 3000
    poisoned = pixels.copy()
    poisoned[:9, :14] = -20000
    upscaler = load("acute-10k")
    plain = upscaler.stream(Image.from_pixels(pixels, measured=Measured()), 2).gather().pixels
    image = Image.from_pixels(poisoned, measured=Measured(invalid=(-20000, -20000)))
    result = upscaler.stream(image, 2).gather().pixels
    far = np.abs(result - plain)
    far[:40, :50] = 0
    assert far.max() < 0.005 * 3000


def test_a_valid_result_never_equals_the_invalid_value() -> None:
    pixels = np.zeros((8, 8), np.int16)
    pixels[:, 4:] = 100
    image = Image.from_pixels(pixels, measured=Measured(invalid=(50, 50)))
    result = Pipeline([], "area").stream(image, 8, 15).gather().pixels
    assert set(np.unique(result)) == {0, 51, 100} or set(np.unique(result)) == {0, 49, 100}


def test_a_mask_marks_invalid_pixels_and_comes_back_by_nearest() -> None:
    pixels = (noisy_image(24, 24, 3).pixels).copy()
    pixels[..., 2] = 255
    pixels[5:9, 3:8] = (0, 0, 0)
    result = enlarged(Image.from_pixels(pixels, measured=Measured(mask=True)), Blur(halo=1, channels=1))
    np.testing.assert_array_equal(result[..., 2], pixels[..., 2].repeat(2, 0).repeat(2, 1))
    assert result[..., :2][result[..., 2] == 255].min() > 40


def test_classes_are_only_copied() -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (13, 17), np.int16)
    image = Image.from_pixels(pixels, measured=Measured(categorical=True))
    result = enlarged(image, Blur(), (40, 40))
    np.testing.assert_array_equal(result[..., 0], resize(pixels, size=(40, 40), kernel="nearest"))


def test_the_same_size_and_images_without_a_valid_pixel_are_copied() -> None:
    values = np.random.default_rng(0).random((9, 9)) * 1e7
    image = Image.from_pixels(values, measured=Measured())
    np.testing.assert_array_equal(Pipeline([]).stream(image, 9, 9).gather().pixels[..., 0], values)
    nothing = Image.from_pixels(np.full((9, 9), np.nan), measured=Measured())
    assert np.isnan(enlarged(nothing, Blur())).all()


def test_a_known_survey_saves_the_first_pass_and_sets_the_range() -> None:
    pixels = noisy_image(32, 32, 2, np.float32).pixels
    image = Image.from_pixels(pixels, measured=Measured())
    found = survey(image.strips())
    assert found.invalid == 0
    known = replace(image.header, measured=Measured(survey=found))
    once = Strips(known, iter([pixels]))
    line = Pipeline([Stage(Blur(), "blur")])
    np.testing.assert_array_equal(line.stream(once, 64, 64).gather().pixels, enlarged(image, Blur()))
    assert survey(Strips(image.header, [pixels[:5], pixels[5:]])) == found
    assert isinstance(found, Survey)


def test_tiles_and_strips_give_the_same_bits_for_measured_images() -> None:
    pixels = (noisy_image(200, 50, 2, np.float32).pixels * 900).astype(np.int16)
    pixels[20:150, 10:30] = -9999
    pixels[100, 40] = 30000
    image = Image.from_pixels(pixels, measured=Measured(invalid=(-9999, -9999)))
    whole = Pipeline([Stage(Blur(channels=1), "blur")], tile=0).stream(image, 400, 100).gather().pixels
    for tile in (16, 33):
        strips = Strips(image.header, [pixels[:7], pixels[7:90], pixels[90:]])
        result = Pipeline([Stage(Blur(channels=1), "blur")], tile=tile).stream(strips, 400, 100).gather().pixels
        np.testing.assert_array_equal(result, whole)


def test_images_of_integers_have_the_bits_that_they_had_before_ranges() -> None:
    digest = hashlib.sha256()
    for dtype in (np.uint8, np.uint16):
        for channels in (1, 2, 3, 4):
            for network_channels in (1, 3):
                image = noisy_image(31, 29, channels, dtype)
                digest.update(enlarged(image, Blur(channels=network_channels), (75, 70)).tobytes())
    assert digest.hexdigest() == "911e26c5bb905c6c1048084822cd7bd3d0688f7f28598d9ee68abfd451bc2201"
