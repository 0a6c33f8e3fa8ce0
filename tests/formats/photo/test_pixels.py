"""Pixels survive writing and reading, exactly or closely, for every format, size and division into strips."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from hyperacuity import formats
from hyperacuity.formats.photo import spool
from hyperacuity.image import Image, Metadata, Strips
from tests.formats.samples import (
    gradient,
    load,
    noise,
    save,
    saved,
)

EXACT = [
    *(
        (suffix, dtype, channels)
        for suffix in (".png", ".apng")
        for dtype in (np.uint8, np.uint16)
        for channels in (1, 2, 3, 4)
    ),
    *(
        (suffix, dtype, channels)
        for suffix in (".tif", ".tiff")
        for dtype in (np.uint8, np.uint16, np.float32)
        for channels in (1, 2, 3, 4)
    ),
    *((".webp", np.uint8, channels) for channels in (3, 4)),
    *((suffix, np.uint8, channels) for suffix in (".bmp", ".ppm", ".pnm") for channels in (1, 3)),
    *((suffix, np.uint16, channels) for suffix in (".ppm", ".pnm") for channels in (1, 3)),
    *((".pgm", dtype, 1) for dtype in (np.uint8, np.uint16)),
    *((".pfm", np.float32, channels) for channels in (1, 3)),
]


@pytest.mark.parametrize(("suffix", "dtype", "channels"), EXACT)
@pytest.mark.parametrize("in_memory", [True, False])
def test_lossless_formats_keep_every_bit(
    suffix: str, dtype: Any, channels: int, in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr(spool, "MEMORY", 0)
        monkeypatch.setattr(spool, "BAND", 700)
    image = Image.from_pixels(noise(channels, dtype), alpha=channels in (2, 4))
    back = saved(tmp_path / f"a{suffix}", image)
    assert back.pixels.dtype == dtype
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert replace(back.header, metadata=Metadata()) == image.header
    assert os.listdir(tmp_path) == [f"a{suffix}"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".png", ".tif", ".bmp", ".ppm", ".webp"]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    cuts=st.lists(st.integers(1, 9), max_size=5),
)
def test_any_size_and_any_strips(suffix: str, height: int, width: int, cuts: list[int], tmp_path: Path) -> None:
    pixels = noise(3, np.uint8, height, width)
    rows = [part for part in np.split(pixels, np.minimum(np.cumsum(cuts), height).astype(int)) if len(part)]
    with formats.write(tmp_path / f"a{suffix}", None) as sink:
        sink.write(Strips(Image.from_pixels(pixels).header, rows))
    np.testing.assert_array_equal(load(tmp_path / f"a{suffix}").pixels, pixels)


@pytest.mark.parametrize(("suffix", "worst"), [(".jpg", 3), (".jpeg", 3), (".webp", 3), (".avif", 4)])
def test_lossy_formats_stay_close(suffix: str, worst: float, tmp_path: Path) -> None:
    image = gradient()
    back = saved(tmp_path / f"a{suffix}", image, quality=90)
    assert np.abs(back.pixels.astype(int) - image.pixels).mean() < worst
    best, small = tmp_path / f"b{suffix}", tmp_path / f"c{suffix}"
    noisy = Image.from_pixels(noise())
    save(best, noisy, quality=100)
    save(small, noisy, quality=10)
    assert small.stat().st_size < best.stat().st_size


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_srgb(suffix: str) -> None:
    picture = PIL.Image.fromarray(gradient().pixels).convert("CMYK")
    file = io.BytesIO()
    picture.save(
        file,
        {".jpg": "JPEG", ".tif": "TIFF"}[suffix],
        **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}),
    )
    image = load(file.getvalue())
    assert image.header.channels == 3
    assert image.header.metadata.icc is None
    # Without a profile each reader assumes different inks; neutral colours and channel order must agree with Pillow's.
    expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(image.pixels.astype(int) - expected).mean() < 45
    assert np.corrcoef(image.pixels.ravel(), expected.ravel())[0, 1] > 0.9


def test_cmyk_follows_its_profile_as_lcms_does(shared: Path) -> None:
    for path in (shared / "data/formats/pillow").rglob("*"):
        if path.suffix not in (".jpg", ".tif"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                picture = PIL.Image.open(path)
            except (OSError, ValueError):
                continue
            with picture:
                icc = picture.info.get("icc_profile")
                if picture.mode != "CMYK" or not icc or icc[16:20] != b"CMYK":
                    continue
                if picture.format == "TIFF" and picture.tag_v2[258][0] == 16:  # type: ignore[attr-defined]
                    continue
                transform = ImageCms.buildTransform(
                    ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"), "CMYK", "RGB",
                    ImageCms.Intent.RELATIVE_COLORIMETRIC,
                )  # fmt: skip
                expected = np.asarray(ImageCms.applyTransform(picture, transform))
            assert np.abs(load(path).pixels.astype(int) - expected).mean() < 3
