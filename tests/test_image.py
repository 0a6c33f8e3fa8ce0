from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperacuity.errors import DamagedFile
from hyperacuity.image import Header, Image, Metadata, Strips, convert

U8, U16, F32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)


@pytest.mark.parametrize(("dtype", "levels"), [(np.uint8, (0, 255)), (np.uint16, (0, 65535)), (np.float32, (0, 1))])
def test_wrapping_an_array_takes_the_levels_of_its_type(dtype: Any, levels: tuple[float, float]) -> None:
    pixels = np.zeros((4, 6, 3), dtype)
    image = Image.from_pixels(pixels)
    assert image.pixels is pixels
    assert image.header == Header(4, 6, 3, np.dtype(dtype), levels)
    assert image.header.shape == (4, 6, 3)
    assert image.header.nbytes == pixels.nbytes
    assert image.header.metadata == Metadata()


def test_grey_without_a_channel_axis_gets_one() -> None:
    assert Image.from_pixels(np.zeros((4, 6), np.uint8)).pixels.shape == (4, 6, 1)


@pytest.mark.parametrize(("channels", "alpha", "colours"), [(1, False, 1), (2, True, 1), (3, False, 3), (4, True, 3)])
def test_colours_are_channels_without_alpha(channels: int, alpha: bool, colours: int) -> None:
    assert Image.from_pixels(np.zeros((2, 2, channels), np.uint8), alpha=alpha).header.colours == colours


def test_a_resized_header_keeps_everything_else() -> None:
    metadata = Metadata(icc=b"profile", dpi=(300, 300))
    image = Image.from_pixels(
        np.zeros((2, 3, 4), np.uint16), alpha=True, levels=(0, 1023), metadata=metadata, duration=0.1
    )
    header = image.header.resized(20, 30)
    assert header.shape == (20, 30, 4)
    assert header.resized(2, 3) == image.header
    assert (header.metadata, header.levels, header.alpha, header.duration) == (metadata, (0, 1023), True, 0.1)


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Image.from_pixels(np.zeros((2, 2), np.uint8)).header.width = 3  # type: ignore[misc]


def test_strips_are_gathered_in_order() -> None:
    pixels = np.arange(7 * 3 * 2, dtype=np.uint16).reshape(7, 3, 2)
    header = Image.from_pixels(pixels).header
    image = Strips(header, (pixels[a:b] for a, b in ((0, 1), (1, 1), (1, 5), (5, 7)))).gather()
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.strips().gather().pixels, pixels)


@pytest.mark.parametrize("ends", [[(0, 4)], [(0, 7), (6, 7)], [(0, 5), (3, 7)], []])
def test_too_few_or_too_many_rows_are_a_damaged_file_and_not_noise(ends: list[tuple[int, int]]) -> None:
    pixels = np.zeros((7, 3, 1), np.uint8)
    with pytest.raises(DamagedFile, match="the image has 7 rows, but"):
        Strips(Image.from_pixels(pixels).header, [pixels[a:b] for a, b in ends]).gather()


def test_8_bits_to_16_and_back_is_times_257_and_exact() -> None:
    codes = np.arange(256, dtype=np.uint8)
    wide = convert(codes, (0, 255), U16, (0, 65535))
    assert wide.dtype == np.uint16
    np.testing.assert_array_equal(wide, codes.astype(int) * 257)
    np.testing.assert_array_equal(convert(wide, (0, 65535), U8, (0, 255)), codes)


def test_16_bits_to_8_go_to_the_nearest() -> None:
    codes = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(convert(codes, (0, 65535), U8, (0, 255)), (codes.astype(int) + 128) // 257)


@pytest.mark.parametrize(
    ("dtype", "levels"), [(U8, (0, 255)), (U16, (0, 65535)), (U16, (0, 1023)), (U16, (64, 940)), (U8, (16, 235))]
)
def test_integers_to_floats_and_back_are_exact(dtype: np.dtype[Any], levels: tuple[int, int]) -> None:
    codes = np.arange(levels[0], levels[1] + 1).astype(dtype)
    floats = convert(codes, levels, F32, (0, 1))
    assert floats.dtype == np.float32
    assert (floats[0], floats[-1]) == (0, 1)
    np.testing.assert_array_equal(convert(floats, (0, 1), dtype, levels), codes)


@pytest.mark.parametrize("most", [1023, 4095])
def test_10_and_12_bits_in_16_keep_their_values_on_the_way_to_16_and_back(most: int) -> None:
    codes = np.arange(most + 1, dtype=np.uint16)
    wide = convert(codes, (0, most), U16, (0, 65535))
    assert (wide[0], wide[-1]) == (0, 65535)
    np.testing.assert_array_equal(convert(wide, (0, 65535), U16, (0, most)), codes)


def test_integers_are_clipped_to_their_levels_and_floats_are_not() -> None:
    floats = np.array([-3, -0.001, 0.5, 1.001, 7], np.float32)
    np.testing.assert_array_equal(convert(floats, (0, 1), U8, (0, 255)), [0, 0, 128, 255, 255])
    np.testing.assert_array_equal(convert(floats, (0, 1), U16, (0, 1023)), [0, 0, 512, 1023, 1023])
    np.testing.assert_allclose(convert(floats, (0, 1), F32, (-1, 1)), floats * 2 - 1, rtol=1e-6)


def test_no_conversion_makes_no_copy() -> None:
    pixels = np.zeros((2, 2, 1), np.uint8)
    assert convert(pixels, (0, 255), U8, (0, 255)) is pixels
    assert Image.from_pixels(pixels).to_8bit() is pixels


@given(st.integers(0, 1023))
def test_to_8bit_respects_the_levels(code: int) -> None:
    image = Image.from_pixels(np.full((1, 1), code, np.uint16), levels=(0, 1023))
    assert image.to_8bit()[0, 0, 0] == int(code * 255 / 1023 + 0.5)
