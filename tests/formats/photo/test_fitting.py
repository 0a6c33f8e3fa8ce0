"""Content that a format cannot hold is rounded, laid over white, left out or refused, and a warning names it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import UsageError
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import metadata
from hyperacuity.image import Array, Header, Image, Metadata, Strips
from tests.formats.samples import (
    ICC,
    Animated,
    exif_block,
    gradient,
    noise,
    save,
    saved,
)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
def test_alpha_is_laid_over_white(suffix: str, tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[..., 3] = 128
    with pytest.warns(LossWarning, match="laid over white"):
        back = saved(tmp_path / f"a{suffix}", Image.from_pixels(pixels, alpha=True))
    assert back.header.channels == 3
    assert np.abs(back.pixels.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
def test_opaque_alpha_is_dropped_silently(suffix: str, tmp_path: Path) -> None:
    pixels = np.dstack([gradient().pixels, np.full((48, 64), 255, np.uint8)])
    back = saved(tmp_path / f"a{suffix}", Image.from_pixels(pixels, alpha=True))
    assert np.abs(back.pixels.astype(int) - pixels[..., :3]).mean() < 3


@pytest.mark.parametrize(
    ("suffix", "dtype", "expected"),
    [
        (".jpg", np.uint16, np.uint8),
        (".webp", np.uint16, np.uint8),
        (".bmp", np.float32, np.uint8),
        (".png", np.float32, np.uint16),
    ],
)
def test_depth_that_does_not_fit_is_rounded(suffix: str, dtype: Any, expected: Any, tmp_path: Path) -> None:
    image = Image.from_pixels(noise(3, dtype))
    with pytest.warns(LossWarning, match="rounded"):
        back = saved(tmp_path / f"a{suffix}", image)
    assert back.pixels.dtype == expected
    if suffix != ".jpg":
        scale = 1 if dtype == np.float32 else 65535
        white = np.iinfo(expected).max
        np.testing.assert_array_equal(back.pixels, np.floor(image.pixels.astype(float) / scale * white + 0.5))


def test_levels_are_stretched_or_stated(tmp_path: Path) -> None:
    image = Image.from_pixels((noise(1, np.uint16) >> 6), levels=(0, 1023))
    back = saved(tmp_path / "a.png", image)
    assert back.header.levels == (0, 65535)
    np.testing.assert_array_equal(np.round(back.pixels * (1023 / 65535)), image.pixels)
    back = saved(tmp_path / "a.pgm", image)
    assert back.header.levels == (0, 1023)
    np.testing.assert_array_equal(back.pixels, image.pixels)


def test_metadata_that_does_not_fit_is_named(tmp_path: Path) -> None:
    image = gradient(metadata=Metadata(icc=ICC, exif=metadata.upright(exif_block())))
    with pytest.warns(LossWarning, match="PNM cannot hold the source's ICC, EXIF"):
        save(tmp_path / "a.ppm", image)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_profiles_are_written_or_their_loss_is_named(suffix: str, channels: int, tmp_path: Path) -> None:
    grey = ICC[:16] + b"GRAY" + ICC[20:]
    for icc in (ICC, grey, b"junk" * 99):
        image = Image.from_pixels(noise(channels), metadata=Metadata(icc=icc))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            back = saved(tmp_path / f"a{suffix}", image)
        lost = any("ICC profile" in str(warning.message) for warning in caught)
        assert (back.header.metadata.icc == icc) != lost


@pytest.mark.parametrize(
    ("suffix", "height", "width"), [(".jpg", 1, 65501), (".webp", 16384, 1), (".gif", 1, 65536), (".avif", 16385, 1)]
)
def test_too_large_is_refused_before_the_first_row(suffix: str, height: int, width: int, tmp_path: Path) -> None:
    def rows() -> Iterator[Array]:
        pytest.fail("rows were asked for")
        yield np.empty(0)

    header = Header(height, width, 3, np.dtype(np.uint8), (0, 255))
    with (
        pytest.raises(UsageError, match=r"write to \.png or \.tif"),
        formats.write(tmp_path / f"a{suffix}", None) as sink,
    ):
        sink.write(Strips(header, rows()))
    assert not os.listdir(tmp_path)


def test_nonsense_quality_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1 .* to 100"):
        formats.write(tmp_path / "a.jpg", None, quality=0)


@pytest.mark.parametrize(("suffix", "loop"), [(".jpg", 0), (".bmp", 1), (".avif", 0), (".png", None), (".gif", None)])
def test_frames_into_a_still_format_are_refused_before_work(suffix: str, loop: int | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="webp" if loop is not None else r"\.tif"):
        formats.write(tmp_path / f"a{suffix}", Animated(5, loop))  # type: ignore[arg-type]


def test_second_image_into_a_still_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the second"):
        save(tmp_path / "a.jpg", gradient(), gradient())
    assert not os.listdir(tmp_path)
