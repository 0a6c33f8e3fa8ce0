"""LERC, JPEG XL and JPEG 2000 inside TIFF, written by tifffile."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
import tifffile

from hyperacuity.errors import DamagedFile, HyperacuityError, MissingDependency
from tests.formats.samples import load, noise

CODECS = {"lerc": "LERC", "jpegxl": "JPEG XL", "jpeg2000": "JPEG 2000"}


def written(pixels: Any, codec: str, **options: Any) -> bytes:
    pytest.importorskip("imagecodecs", reason="needs the extra jxl")
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, compression=codec, **options)
    return file.getvalue()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 7}])
def test_pixels_are_read(codec: str, dtype: Any, grey: bool, layout: dict[str, Any]) -> None:
    if codec == "jpeg2000" and dtype == np.float32:
        pytest.skip("JPEG 2000 has no floats here")
    pixels = noise(3, dtype)
    pixels = pixels[..., 0] if grey else pixels
    back = load(written(pixels, codec, photometric="minisblack" if grey else "rgb", **layout)).pixels
    np.testing.assert_array_equal(back[..., 0] if grey else back, pixels)


@pytest.mark.parametrize("further", ["deflate", "zstd"])
def test_lerc_that_is_compressed_once_more_is_read(further: str) -> None:
    pixels = noise(1, np.uint16)[..., 0]
    data = written(pixels, "lerc", compressionargs={"compression": further})
    np.testing.assert_array_equal(load(data).pixels[..., 0], pixels)


@pytest.mark.parametrize("codec", CODECS)
def test_damaged_pixels_are_damaged(codec: str) -> None:
    data = written(noise(3), codec, photometric="rgb")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        begin, size = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    for content in (bytes(size), b"text" * (size // 4 + 1)):
        with pytest.raises(DamagedFile):
            load(data[:begin] + content[:size] + data[begin + size :])
    with pytest.raises(HyperacuityError):
        load(data[: begin + size // 2])


@pytest.mark.parametrize("codec", CODECS)
def test_without_the_extra_it_is_named(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(noise(3), codec, photometric="rgb")
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingDependency, match=rf"compressed with {CODECS[codec]}.*'hyperacuity\[jxl\]'"):
        load(data)
