from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hyperacuity import colour

Array = NDArray[Any]

# MATLAB's rgb2ycbcr and its offsets, on codes 0..255.
YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
OFFSET = np.array([16.0, 128.0, 128.0])


def noise(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape).astype(dtype)


def bleed(pixels: Array, visible: NDArray[np.bool_]) -> Array:
    """All three steps on a whole image, band by band."""
    cuts = [slice(top, top + colour.BAND) for top in range(0, len(pixels), colour.BAND)]
    means = colour.fill_means([colour.band_means(pixels[cut], visible[cut]) for cut in cuts])
    return np.concatenate([colour.fill_band(pixels[cut], visible[cut], means[n]) for n, cut in enumerate(cuts)])


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81),
        ((0, 255, 0), 145),
        ((0, 0, 255), 41),
        ((255, 255, 0), 210),
        ((0, 255, 255), 170),
        ((255, 0, 255), 106),
        ((128, 128, 128), 126),
    ],
)
def test_luma_has_matlabs_values(rgb: tuple[int, int, int], y: int) -> None:
    pixel = np.array([[rgb]], np.uint8)
    assert colour.luma8(pixel).dtype == np.uint8
    assert colour.luma8(pixel)[0, 0] == y
    assert colour.luma(pixel / 255)[0, 0] * 255 == pytest.approx(OFFSET[0] + YCBCR[0] @ rgb)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_luma_takes_its_channels_from_any_axis_and_keeps_the_type(dtype: Any) -> None:
    rgb = noise(5, 7, 3, dtype=dtype)
    y = colour.luma(rgb)
    assert y.dtype == dtype
    np.testing.assert_array_equal(colour.luma(rgb.transpose(2, 0, 1), axis=0), y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_image_is_its_luma_and_its_colour_differences(dtype: Any) -> None:
    rgb = noise(3, 9, 6, dtype=dtype)
    y = colour.luma(rgb, axis=0)
    result = colour.joined(y, colour.differences(rgb, y))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, rgb, atol=4 * np.finfo(dtype).eps)


def test_replacing_luma_equals_a_conversion_to_ycbcr_and_back() -> None:
    rgb, y = noise(3, 9, 6, dtype=np.float64), noise(9, 6, dtype=np.float64, seed=1)
    planes = np.tensordot(YCBCR, rgb * 255, 1) + OFFSET[:, None, None]
    planes[0] = y * 255
    expected = np.tensordot(np.linalg.inv(YCBCR), planes - OFFSET[:, None, None], 1) / 255
    result = colour.joined(y, colour.differences(rgb, colour.luma(rgb, axis=0)))
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_joining_leaves_the_luma_as_it_was() -> None:
    rgb, y = noise(3, 4, 4), noise(4, 4, seed=1)
    before = y.copy()
    colour.joined(y, colour.differences(rgb, y))
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_studio_range_is_the_luma_of_grey_and_back(dtype: Any) -> None:
    grey = noise(8, 8, dtype=dtype)
    studio = colour.to_studio(grey)
    assert studio.dtype == dtype
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(studio, colour.luma(np.stack([grey] * 3, axis=-1)), atol=tolerance)
    np.testing.assert_allclose(colour.from_studio(studio), grey, atol=tolerance)
    np.testing.assert_allclose(colour.to_studio(np.array([0, 1], dtype)) * 255, [16, 235], rtol=tolerance)


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    colours=st.sampled_from([1, 3]),
    share=st.floats(0, 1),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    seed=st.integers(0, 99),
)
def test_bleeding_keeps_the_visible_and_mixes_the_rest_from_it(
    height: int, width: int, colours: int, share: float, dtype: Any, seed: int
) -> None:
    random = np.random.default_rng(seed)
    visible = random.random((height, width)) < share
    visible[random.integers(height), random.integers(width)] = True
    top = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    pixels = (random.random((height, width, colours + 1)) * top).astype(dtype)
    before = pixels.copy()
    result = bleed(pixels, visible)
    assert result.dtype == dtype
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(result[visible], pixels[visible])
    np.testing.assert_array_equal(result[..., -1], pixels[..., -1])
    seen = pixels[visible][:, :colours].astype(float)
    rest = result[~visible][:, :colours].astype(float)
    assert (rest >= seen.min(axis=0) - 1e-6).all()
    assert (rest <= seen.max(axis=0) + 1e-6).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (16, 16), (33, 5), (130, 70)])
def test_a_single_visible_pixel_fills_the_image(size: tuple[int, int]) -> None:
    visible = np.zeros(size, bool)
    visible[-1, size[1] // 2] = True
    pixels = np.zeros((*size, 4), np.uint16)
    pixels[visible] = 60001, 7, 300, 65535
    result = bleed(pixels, visible)
    assert (result[..., :3] == (60001, 7, 300)).all()


def test_invisible_pixels_take_the_nearest_colours() -> None:
    pixels = np.zeros((4, 64, 2), np.uint8)
    pixels[:, 0], pixels[:, -1] = (10, 255), (200, 255)
    line = bleed(pixels, pixels[..., 1] > 0)[0, :, 0]
    assert (line[:16] == 10).all()
    assert (line[-16:] == 200).all()


def test_invisible_values_have_no_effect_not_even_nan() -> None:
    pixels = np.full((6, 6, 2), np.nan, np.float32)
    pixels[2, 3] = 0.25, 1
    assert (bleed(pixels, np.isfinite(pixels[..., 0]))[..., 0] == 0.25).all()


def test_bleeding_a_photo_is_quick() -> None:
    pixels = np.zeros((1500, 2000, 4), np.uint8)
    visible = np.zeros((1500, 2000), bool)
    pixels[500:1000, 500:1500], visible[500:1000, 500:1500] = 90, True
    start = time.perf_counter()
    result = bleed(pixels, visible)
    assert time.perf_counter() - start < 5  # some 0.2 s on one free core
    assert (result[..., :3] == 90).all()
