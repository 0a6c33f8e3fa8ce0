"""The results of a first pass over images and strips: NaN, transparency, constant alpha."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import machine
from hyperacuity.errors import DamagedFile, UsageError
from hyperacuity.image import Image, Strips
from hyperacuity.pipeline import Pipeline, Stage, tile_budget
from tests.engines import Blur
from tests.pipeline.images import enlarged, noisy_image


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_inf_are_refused(bad: float) -> None:
    image = noisy_image(8, 8, dtype=np.float32)
    image.pixels[3, 4, 0] = bad
    with pytest.raises(UsageError, match="NaN or Inf"):
        enlarged(image, Blur())


@pytest.mark.parametrize("network_channels", [1, 3])
@pytest.mark.parametrize("under", [0, 255])
def test_colours_under_transparent_pixels_do_not_bleed_into_visible_ones(network_channels: int, under: int) -> None:
    """A grey disc on transparent black, or white, must stay equally grey up to its edge."""
    y, x = np.mgrid[-20:20, -20:20] + 0.5
    alpha = np.clip(15 - np.hypot(x, y) + 0.5, 0, 1)
    pixels = np.empty((40, 40, 4), np.uint8)
    pixels[..., :3] = np.where(alpha[..., None] > 0, 128, under)
    pixels[..., 3] = alpha * 255
    for size in ((80, 80), (100, 100), (60, 60)):
        result = enlarged(Image.from_pixels(pixels, alpha=True), Blur(channels=network_channels, halo=0), size)
        visible = result[result[..., 3] > 8]
        assert abs(visible[:, :3].astype(int) - 128).max() <= 1
        assert result[..., 3].min() == 0
        assert result[..., 3].max() == 255


def test_a_constant_alpha_stays_exactly_the_same() -> None:
    for value in (0, 77, 255):
        image = noisy_image(9, 9, 4)
        image.pixels[..., 3] = value
        engine = Blur(channels=1)
        assert (enlarged(image, engine)[..., 3] == value).all()
        assert all(shape[0] == 1 for shape in engine.runs)  # and takes no time


class Rows:
    """The rows of an image as a file yields them: a few at a time, from the start in each pass; counts the passes."""

    def __init__(self, pixels: NDArray[Any], heights: Sequence[int] = (1, 7, 64, 3)) -> None:
        self.pixels, self.heights, self.passes = pixels, heights, 0

    def __iter__(self) -> Iterator[NDArray[Any]]:
        self.passes += 1
        top = 0
        for height in itertools.cycle(self.heights):
            if top >= len(self.pixels):
                return
            yield self.pixels[top : top + height].copy()
            top += height


def tall(channels: int, dtype: Any, alpha: str) -> Image:
    """A tall image of noise, alpha being "varied", "constant" or with "holes" larger and smaller than a band."""
    image = noisy_image(300, 37, channels, dtype)
    pixels = image.pixels
    if dtype == np.float32:
        pixels[200, 5, 0] = -2  # far below black, so that it is enlarged by bicubic
    if alpha == "constant":
        pixels[..., -1] = pixels[0, 0, -1]
    elif alpha == "holes":
        pixels[20:33, 4:20, -1] = pixels[100:230, ..., -1] = pixels[::9, ::5, -1] = 0
        if dtype == np.float32:
            pixels[120, 5, 0] = -9  # invisible, so that it does not count
    return image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("channels", "alpha"),
    [(1, ""), (3, ""), (2, "varied"), (4, "varied"), (2, "constant"), (4, "constant"), (2, "holes"), (4, "holes")],
)
@pytest.mark.parametrize("network_channels", [1, 3])
def test_strips_give_the_bits_of_the_whole_image(channels: int, alpha: str, dtype: Any, network_channels: int) -> None:
    image = tall(channels, dtype, alpha)
    line = Pipeline([Stage(Blur(channels=network_channels, activation_bytes=100, free=1 << 20), "blur")])
    for size in ((600, 74), (450, 51)):
        whole = line.stream(image, *size).gather().pixels
        rows = Rows(image.pixels)
        result = line.stream(Strips(image.header, rows), *size)
        assert result.header == image.header.resized(*size)
        np.testing.assert_array_equal(result.gather().pixels, whole)
        # Integers without alpha need no first pass; transparent pixels need one more.
        assert rows.passes == 1 + (bool(alpha) or dtype == np.float32) + (alpha == "holes")
        once = (strip for strip in Rows(image.pixels))
        np.testing.assert_array_equal(line.stream(Strips(image.header, once), *size).gather().pixels, whole)


@pytest.mark.parametrize("kind", ["grey", "holes", "float"])
def test_the_memory_for_tall_strips_is_bounded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(tile_budget, "BLOCK", 1 << 13)
    dtype: Any = np.float32 if kind == "float" else np.uint8
    strip = noisy_image(64, 256, 4 if kind == "holes" else 1, dtype).pixels
    if kind == "holes":
        strip[10:50, 30:90, -1] = 0

    class Tall:
        def __init__(self, count: int) -> None:
            self.count = count

        def __iter__(self) -> Iterator[NDArray[Any]]:
            return itertools.repeat(strip, self.count)

    def peak(count: int) -> int:
        header = replace(Image.from_pixels(strip, alpha=kind == "holes").header, height=64 * count)
        line = Pipeline([Stage(Blur(halo=1, channels=1), "blur")], tile=64)
        tracemalloc.start()
        try:
            for rows in line.stream(Strips(header, Tall(count)), 128 * count, 512).rows:
                assert rows.shape[1:] == (512, header.channels)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # threads and caches
    few, many = peak(8), peak(48)
    image = 40 * strip.nbytes  # the memory of 40 more strips, and four times that for the result
    assert many - few < image / 4


def test_strips_with_missing_or_surplus_rows_are_damaged() -> None:
    image = noisy_image(40, 12)
    for height in (39, 41):
        for size in ((80, 24), (9, 4)):
            line = Pipeline([Stage(Blur(), "blur")] if size[0] == 80 else [], "nearest")
            strips = Strips(replace(image.header, height=height), Rows(image.pixels))
            with pytest.raises(DamagedFile, match=f"rows arrived for an image of {height}"):
                line.stream(strips, *size).gather()


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_nan_and_inf_in_strips_are_refused_at_once(bad: float) -> None:
    image = noisy_image(40, 12, dtype=np.float32)
    image.pixels[39, 3, 0] = bad
    with pytest.raises(UsageError, match="NaN or Inf"):
        Pipeline([]).stream(Strips(image.header, Rows(image.pixels)), 80, 24)
