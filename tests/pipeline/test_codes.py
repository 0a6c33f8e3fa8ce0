"""Depths, levels and values beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity import engines, zoo
from hyperacuity.image import Image
from hyperacuity.pipeline import Pipeline
from hyperacuity.resize import resize
from tests.engines import Blur
from tests.pipeline.images import enlarged, noisy_image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("network_channels", [1, 3])
def test_depth_and_channels_are_kept(dtype: Any, channels: int, network_channels: int) -> None:
    identity = Blur(halo=0, scale=2, channels=network_channels)
    image = noisy_image(12, 9, channels, dtype)
    result = enlarged(image, identity)
    assert result.dtype == dtype
    # At halo 0 the network repeats pixels; colour through a network on luma keeps the luma only.
    if channels < 3 or network_channels == 3:
        tolerance = 1e-6 if dtype == np.float32 else 0
        np.testing.assert_allclose(result, image.pixels.repeat(2, 0).repeat(2, 1), atol=tolerance)


def test_10_bits_in_16_stay_within_their_levels() -> None:
    pixels = np.array([[[0], [1023]]] * 2, np.uint16).repeat(8, 0).repeat(8, 1)
    image = Image.from_pixels(pixels, levels=(0, 1023))
    result = Pipeline([], "lanczos").stream(image, 33, 33).gather().pixels
    assert result.max() == 1023
    assert result.min() == 0


def test_floats_beyond_their_levels_are_neither_clipped_nor_squeezed() -> None:
    image = Image.from_pixels(np.linspace(-1000, 3000, 64, dtype=np.float32).reshape(8, 8))
    result = enlarged(image, Blur(halo=0, channels=1))
    np.testing.assert_allclose(result[..., 0], image.pixels[..., 0].repeat(2, 0).repeat(2, 1), rtol=1e-5, atol=1e-2)


def test_a_highlight_beyond_white_leaves_the_other_pixels_as_they_are() -> None:
    image = noisy_image(16, 16, 1, np.float32)
    seen: list[NDArray[np.float32]] = []

    class Watching(Blur):
        def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            seen.append(batch)
            return super().run(batch)

    enlarged(image, Watching())
    image.pixels[3, 4] = 1000
    enlarged(image, Watching())
    assert (seen[0] != seen[1]).sum() == 3  # one pixel, in the three channels of the network
    # Within the reach of the highlight's bicubic, the result depends on where the range ends.
    thousandfold = enlarged(Image.from_pixels(image.pixels * 1000), Blur()) / 1000
    np.testing.assert_allclose(thousandfold[14:], enlarged(image, Blur())[14:], 1e-5)
    np.testing.assert_allclose(thousandfold, enlarged(image, Blur()), atol=0.5)


def test_ringing_below_black_leaves_the_other_pixels_as_they_are() -> None:
    """Resampled images undershoot a little. Found on Set14's ppt3: moving black for that cost 2.5 dB."""
    image = noisy_image(40, 60, dtype=np.float32)
    network: Any = engines.open(zoo.find_models("fsrcnn-x2")[0], engine="onnxruntime")
    before = enlarged(image, network)
    image.pixels[20, 3] = -0.07
    after = enlarged(image, network)
    np.testing.assert_array_equal(after[:, 30:], before[:, 30:])


def test_signed_integers_are_rounded_half_up_below_zero_too() -> None:
    pixels = np.arange(-1000, 1000, dtype=np.int16).reshape(40, 50)
    image = Image.from_pixels(pixels, levels=(-1024, 3071))
    np.testing.assert_array_equal(Pipeline([]).stream(image, 40, 50).gather().pixels[..., 0], pixels)
    larger = Pipeline([]).stream(image, 80, 100).gather().pixels[..., 0]
    exact = np.floor(resize(pixels.astype(np.float64), size=(80, 100)) + 0.5)
    assert (larger != exact).mean() < 0.01  # float32's error, if a value lies halfway
