from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from hyperacuity.inspection.jpeg_tables import JpegHeader, read_jpeg_header
from tests.inspection import made

PIXELS = made.photo(32, 48)


@pytest.mark.parametrize("quality", [*range(5, 100, 10), 1, 50, 100])
def test_the_quality_of_libjpeg_is_exact(quality: int) -> None:
    header = read_jpeg_header(made.jpeg(PIXELS, quality))
    assert header is not None
    assert header.quality == quality
    assert header.chroma_quality == quality


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
@pytest.mark.parametrize("progressive", [False, True])
def test_subsampling(subsampling: int, name: str, progressive: bool) -> None:
    data = made.jpeg(PIXELS, 80, subsampling=subsampling, progressive=progressive)
    assert read_jpeg_header(data) == JpegHeader(80, 80, name)


def test_grey_files_have_no_chroma() -> None:
    assert read_jpeg_header(made.jpeg(PIXELS[..., 0], 70)) == JpegHeader(70)


def test_tables_of_other_programs_are_estimated() -> None:
    file = io.BytesIO()
    flat = [[16] * 64, [17] * 64]
    PIL.Image.fromarray(PIXELS).save(file, "JPEG", qtables=flat)
    header = read_jpeg_header(file.getvalue())
    assert header is not None
    assert 60 < header.quality < 95


def test_long_metadata_before_the_tables_is_skipped() -> None:
    data = made.jpeg(PIXELS, 33, exif=b"Exif\0\0" + bytes(60_000), comment=b"c" * 60_000)
    header = read_jpeg_header(data)
    assert header is not None
    assert header.quality == 33


def test_other_files_have_none() -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(file, "PNG")
    assert read_jpeg_header(file.getvalue()) is None


def test_files_that_are_cut_short_anywhere_do_no_harm() -> None:
    data = made.jpeg(PIXELS, 60)
    for size in range(0, 700, 7):
        read_jpeg_header(data[:size])
    damaged = np.frombuffer(data, np.uint8).copy()
    damaged[2:600] = np.random.default_rng(0).integers(0, 256, 598)
    read_jpeg_header(damaged.tobytes())
