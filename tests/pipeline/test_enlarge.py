"""The whole pipeline: sizes, chains, resamplers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hyperacuity.errors import OutOfMemory
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline, PrecisionWarning, Stage, rows
from hyperacuity.resize import resize
from tests.engines import Blur
from tests.pipeline.images import enlarged, noisy_image


def test_out_of_memory_outside_the_network_raises_an_error_with_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(rows, "resample", fail)
    with pytest.raises(OutOfMemory, match="close other programs"):
        enlarged(noisy_image(8, 8), Blur(), (12, 12))


def test_a_result_whose_rows_do_not_fit_into_memory_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperacuity.machine.available_memory", lambda: 1 << 30)
    image = noisy_image(1, 400)
    Pipeline([]).stream(image, 7500, 3_000_000)
    with pytest.raises(OutOfMemory, match=r"120000000 × 300000 pixels needs 32.2 GiB .* 1.0 GiB are free; .* smaller"):
        Pipeline([]).stream(image, 300_000, 120_000_000)


@pytest.mark.parametrize("size", [(33, 47), (100, 141), (20, 30), (77, 20)])
def test_any_size_is_the_network_and_then_an_antialiased_resize(size: tuple[int, int]) -> None:
    image = noisy_image(20, 30, dtype=np.float32)
    big = enlarged(image, Blur())
    np.testing.assert_allclose(enlarged(image, Blur(), size), resize(big, size=size), atol=2e-6)


def test_a_chain_is_one_network_after_the_other() -> None:
    image = noisy_image(23, 31, dtype=np.float32)
    once = enlarged(image, Blur())
    twice = enlarged(Image.from_pixels(once), Blur())
    chain = Pipeline([Stage(Blur(), "a"), Stage(Blur(), "b")], tile=9).stream(image, 92, 124).gather().pixels
    np.testing.assert_allclose(chain, twice, atol=1e-6)


@pytest.mark.parametrize("network_channels", [1, 3])
@pytest.mark.parametrize("size", [(60, 90), (50, 75)])
def test_a_network_of_scale_1_reads_the_enlarged_image(network_channels: int, size: tuple[int, int]) -> None:
    image = noisy_image(20, 30, dtype=np.float32)
    sharpened = enlarged(
        Image.from_pixels(resize(image.pixels, scale=3)), Blur(scale=1, channels=network_channels), size, tile=0
    )
    stage = Stage(Blur(scale=1, channels=network_channels), "blur", enlarge=3)
    result = Pipeline([stage], tile=17).stream(image, *size).gather().pixels
    np.testing.assert_allclose(result, sharpened, atol=2e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
def test_without_networks_it_is_the_reference_resampler(kernel: Any) -> None:
    image = noisy_image(37, 23)
    ours = Pipeline([], kernel).stream(image, 74, 51).gather().pixels
    exact = np.clip(resize(image.pixels.astype(np.float64), size=(74, 51), kernel=kernel), 0, 255)
    assert np.abs(ours - exact).max() <= 0.5 + 1e-4  # correctly rounded, up to float32's error


def test_the_same_size_without_networks_is_the_same_noisy_image() -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        image = noisy_image(9, 70, 4, dtype)
        np.testing.assert_array_equal(Pipeline([]).stream(image, 9, 70).gather().pixels, image.pixels)


def test_a_pipeline_is_stateless() -> None:
    """Half precision that failed on one image is tried again on the next."""
    half = Blur(precision="fp16", broken=np.nan)
    line = Pipeline([Stage(half, "blur")])
    for _ in range(2):
        with pytest.warns(PrecisionWarning):
            line.stream(noisy_image(8, 8), 16, 16).gather()
    assert replace(line) == line
