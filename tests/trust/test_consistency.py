"""LR-PSNR of streams of rows against that of whole arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline
from hyperacuity.resize import resize
from hyperacuity.trust import ConsistencyMeter, consistency

rng = np.random.default_rng(3)


def whole(source: NDArray[np.uint8], result: NDArray[np.uint8]) -> float:
    reduced = resize(result.astype(np.float64), size=source.shape[:2])
    return float(-10 * np.log10(np.square(reduced - source).mean() / 255**2))


@pytest.mark.parametrize("size", [(86, 122), (60, 61), (150, 220), (20, 30)])
def test_a_stream_gives_the_value_of_the_whole(size: tuple[int, int]) -> None:
    source = rng.integers(0, 256, (43, 61, 3)).astype(np.uint8)
    meter = ConsistencyMeter(Image.from_pixels(source).header, *size)
    result = Pipeline([], "lanczos").stream(Image.from_pixels(source), *size, meter).gather().pixels
    assert meter.lr_psnr == pytest.approx(whole(source, result), abs=1e-3)


def test_bands_estimate_a_large_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "_MEASURED", 20_000)
    source = rng.integers(0, 256, (400, 50, 3)).astype(np.uint8)
    meter = ConsistencyMeter(Image.from_pixels(source).header, 800, 100)
    result = Pipeline([], "area").stream(Image.from_pixels(source), 800, 100, meter).gather().pixels
    assert meter.lr_psnr == pytest.approx(whole(source, result), abs=0.3)


def test_transparent_pixels_do_not_count_twice() -> None:
    source = np.repeat(np.add.outer(np.arange(40), np.arange(30))[..., None] + 90, 4, 2).astype(np.uint8)
    source[5:20, 3:9, 3] = 0
    image = Image.from_pixels(source, alpha=True)
    meter = ConsistencyMeter(image.header, 80, 60)
    Pipeline([], "bicubic", damping=0.0).stream(image, 80, 60, meter).gather()
    assert meter.lr_psnr > 50  # rows of the input that came twice would not fit


def test_equal_rows_are_infinitely_near_and_none_are_no_number() -> None:
    source = np.full((8, 8, 1), 9, np.uint8)
    meter = ConsistencyMeter(Image.from_pixels(source).header, 16, 16)
    assert math.isnan(meter.lr_psnr)
    meter.add_source(source)
    meter.add_result(np.full((16, 16, 1), 9, np.uint8))
    assert meter.lr_psnr == math.inf
