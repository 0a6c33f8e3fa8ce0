"""TIFF files as they are written: strips, byte orders, files larger than classic TIFF, pages on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.formats.photo import spool, tiff_writer
from hyperacuity.image import Image, Metadata, Native
from tests.formats.samples import Animated, load, noise, save

tifffile = pytest.importorskip("tifffile", reason="the independent reader, tifffile, is not installed")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pixels_are_exact_in_strips_and_both_byte_orders(dtype: Any, channels: int, order: str, tmp_path: Path) -> None:
    mark = {"<": b"II*\0\x08\0\0\0\2\0", ">": b"MM\0*\0\0\0\x08\0\2"}[order]
    size = b"".join(
        np.array([tag, 4], order + "u2").tobytes() + np.array([1, 1], order + "u4").tobytes() for tag in (256, 257)
    )
    native = Native("TIFF", mark + size + b"\0" * 4)
    pixels = noise(channels, dtype, 300, 701)
    image = Image.from_pixels(pixels, alpha=channels in (2, 4), metadata=Metadata(native=native))
    save(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(load(tmp_path / "a.tif").pixels, pixels)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.byteorder == order
        assert len(file.pages[0].dataoffsets) > 1 or pixels.nbytes < 1 << 18
        if dtype != np.float32:  # tifffile needs another package for the predictor of floats
            np.testing.assert_array_equal(file.asarray().reshape(pixels.shape), pixels)


def test_files_larger_than_classic_tiff_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_writer, "_BIG", 1000)
    pages = [Image.from_pixels(noise(3, np.uint8, 600 + seed, 500, seed)) for seed in range(3)]
    save(tmp_path / "a.tif", *pages, like=Animated(3, None))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        for page, image in zip(file.pages, pages, strict=True):
            np.testing.assert_array_equal(page.asarray(), image.pixels)
    with formats.read(tmp_path / "a.tif") as source:
        for one, other in zip(source, pages, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)


def test_pages_that_do_not_fit_into_memory_are_written_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MEMORY", 0)
    monkeypatch.setattr(spool, "BAND", 5000)
    pages = [Image.from_pixels(noise(3, dtype, 50, 61)) for dtype in (np.uint8, np.uint16, np.float32)]
    save(tmp_path / "a.tif", *pages, like=Animated(3, None))
    with formats.read(tmp_path / "a.tif") as source:
        for one, other in zip(source, pages, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
