from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hyperacuity import values
from hyperacuity.image import Image, Measured, Strips
from hyperacuity.pipeline import box_consistency
from hyperacuity.pipeline.box_consistency import Consistency, measure, project
from hyperacuity.resize import resize


def scene(height: int = 40, width: int = 44, dtype: str = "float64") -> Any:
    y, x = np.mgrid[:height, :width]
    return (500 + 300 * np.sin(x / 2.1) + 100 * ((x // 5 + y // 4) % 2)).astype(dtype)


def image(pixels: Any, **measured: Any) -> Image:
    return Image.from_pixels(pixels, measured=Measured(**measured))


def enlarged(small: Image, height: int, width: int) -> Strips:
    pixels = resize(small.pixels[..., 0], size=(height, width), kernel="bicubic")
    return Strips(small.header.resized(height, width), [pixels[..., None]])


@pytest.mark.parametrize("size", [(80, 88), (120, 132), (60, 66), (108, 119)])
def test_measured_differences_are_those_of_area_averages(size: tuple[int, int]) -> None:
    small = image(scene())
    found = Consistency.of_bands(1)
    large = measure(enlarged(small, *size), small.strips(), values.find_valid, found).gather().pixels[..., 0]
    assert np.array_equal(large, resize(small.pixels[..., 0], size=size, kernel="bicubic"))
    difference = resize(large, size=(40, 44), kernel="area") - small.pixels[..., 0]
    assert found.rms[0] == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-9)
    assert found.most[0] == pytest.approx(np.abs(difference).max(), rel=1e-9)
    assert found.count[0] == 40 * 44
    assert found.means[0][0] == pytest.approx(small.pixels.mean())


@pytest.mark.parametrize("size", [(80, 88), (120, 132), (60, 66), (108, 119)])
def test_projected_floats_are_consistent_at_every_scale(size: tuple[int, int]) -> None:
    small = image(scene())
    result = project(enlarged(small, *size), small.strips(), values.find_valid).gather().pixels[..., 0]
    difference = resize(result, size=(40, 44), kernel="area") - small.pixels[..., 0]
    whole = size[0] % 40 == 0
    assert np.abs(difference).max() <= (1e-6 if whole else 1e-2) * 900


def test_projected_integers_are_consistent_to_half_a_step() -> None:
    small = image(scene(dtype="int16"))
    result = project(enlarged(small, 80, 88), small.strips(), values.find_valid).gather().pixels[..., 0]
    assert result.dtype == np.int16
    means = result.astype(np.float64).reshape(40, 2, 44, 2).mean((1, 3))
    assert np.abs(means - small.pixels[..., 0]).max() <= 0.5


def test_invalid_values_stay_and_touch_nothing() -> None:
    pixels = scene()
    pixels[10:14, 20:30] = np.nan
    small = image(pixels)
    large = resize(scene(), size=(80, 88), kernel="bicubic")
    large[np.isnan(pixels).repeat(2, 0).repeat(2, 1)] = np.nan
    strips = Strips(small.header.resized(80, 88), [large[..., None]])
    result = project(strips, small.strips(), values.find_valid).gather().pixels[..., 0]
    assert np.array_equal(np.isnan(result), np.isnan(large))
    means = result.reshape(40, 2, 44, 2).mean((1, 3))
    assert np.nanmax(np.abs(means - pixels)) < 1e-3


@pytest.mark.parametrize("scale", [2, 1.5])
def test_windows_do_not_change_a_result(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    small = image(scene(300, 20, "float32"))
    size = round(300 * scale), round(20 * scale)
    results = []
    for window in (1 << 20, 1 << 8):
        monkeypatch.setattr(box_consistency, "_WINDOW", window)
        results.append(project(enlarged(small, *size), small.strips(), values.find_valid).gather().pixels)
    assert np.abs(results[0] - results[1]).max() < 1e-3


def test_a_consistent_result_is_left_as_it_is() -> None:
    small = image(scene(dtype="uint16"))
    large = small.pixels.repeat(2, 0).repeat(2, 1)
    strips = Strips(small.header.resized(80, 88), [large])
    assert np.array_equal(project(strips, small.strips(), values.find_valid).gather().pixels, large)
