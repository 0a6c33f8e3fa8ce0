"""TIFF."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.photo import metadata
from hyperacuity.formats.photo.tiff_tags import EXIF, Tiff, tree
from hyperacuity.image import Image, Metadata
from tests.formats.samples import (
    MAKER_NOTE,
    Animated,
    exif_block,
    gradient,
    load,
    noise,
    save,
)


def test_pages_of_tiff_are_kept(tmp_path: Path) -> None:
    pages = [Image.from_pixels(noise(3, np.uint16, seed=seed)) for seed in range(3)]
    save(tmp_path / "a.tif", *pages, like=Animated(3, None))
    with formats.read(tmp_path / "a.tif") as source:
        assert (source.frames, source.loop) == (3, None)
        for one, other in zip(source, pages, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)


def test_pages_of_several_sizes_and_types_are_written_together(tmp_path: Path) -> None:
    pages = [
        Image.from_pixels(noise(3, np.uint8, 10, 20)),
        Image.from_pixels(noise(3, np.uint8, 14, 20)),
        Image.from_pixels(noise(1, np.uint16, 9, 7)),
        Image.from_pixels(noise(4, np.float32, 5, 8), alpha=True),
        Image.from_pixels(noise(2, np.uint8, 700, 600), alpha=True),
    ]
    save(tmp_path / "a.tif", *pages, like=Animated(5, None))
    with formats.read(tmp_path / "a.tif") as source:
        assert source.frames == 5
        for one, other in zip(source, pages, strict=True):
            assert (one.header.dtype, one.header.alpha) == (other.header.dtype, other.header.alpha)
            np.testing.assert_array_equal(one.pixels, other.pixels)
    tifffile = pytest.importorskip("tifffile", reason="the independent reader, tifffile, is not installed")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert [(page.shape, page.dtype) for page in file.pages] == [
            ((10, 20, 3), "uint8"),
            ((14, 20, 3), "uint8"),
            ((9, 7), "uint16"),
            ((5, 8, 4), "float32"),
            ((700, 600, 2), "uint8"),
        ]
        np.testing.assert_array_equal(file.pages[4].asarray(), pages[4].pixels)


def test_exif_written_to_tiff_is_complete(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", gradient(metadata=Metadata(exif=metadata.upright(exif_block(order=">")))))
    tiff = Tiff((tmp_path / "a.tif").read_bytes())
    (page,) = tiff.directories()
    assert tree(tiff, page)[EXIF][37500].raw == MAKER_NOTE
    with PIL.Image.open(tmp_path / "a.tif") as picture:
        np.testing.assert_array_equal(np.asarray(picture), gradient().pixels)
        assert picture.getexif().get_ifd(EXIF)[37386] == 35.5


def test_a_tiff_that_would_fill_the_memory_is_refused() -> None:
    tags, span = 300, 4000
    entries = b"".join(struct.pack("<HHII", 1000 + n, 1, span, 8 + 2 + 12 * tags + 4) for n in range(tags))
    data = b"II*\0" + struct.pack("<IH", 8, tags) + entries + b"\0" * (4 + span)
    with pytest.raises(DamagedFile, match="refer to the same bytes too many times"):
        load(data)


def test_a_raw_camera_file_is_refused_with_a_cure() -> None:
    entries = struct.pack("<HHII", 254, 4, 1, 1) + struct.pack("<HHII", 50706, 1, 4, 0x0401)
    with pytest.raises(UnsupportedFormat, match=r"a raw camera file \(DNG\): develop it into a TIFF or JPEG first"):
        load(b"II*\0" + struct.pack("<IH", 8, 2) + entries + b"\0" * 4)


def test_associated_alpha_is_divided_out() -> None:
    straight = Image.from_pixels(np.dstack([noise(3, np.uint8), np.full((21, 34), 128, np.uint8)]), alpha=True).pixels
    premultiplied = straight.copy()
    premultiplied[..., :3] = (straight[..., :3].astype(float) * 128 / 255 + 0.5).astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(premultiplied).save(file, "TIFF")
    unassociated, associated = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    back = load(file.getvalue().replace(unassociated, associated)).pixels.astype(int)
    assert np.abs(back - straight).max() <= 1


def test_cmyk_with_more_channels_is_not_read_and_not_damaged(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="tifffile, which writes the file, is not installed")
    tifffile.imwrite(tmp_path / "a.tif", noise(5), photometric="separated", extrasamples=["unassalpha"])
    with pytest.raises(UnsupportedFormat, match=r"cannot be read: it has 5 channels, .* save it as RGB first"):
        load(tmp_path / "a.tif")
