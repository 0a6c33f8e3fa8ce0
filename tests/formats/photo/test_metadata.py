"""ICC, EXIF, XMP, resolution and orientation, in all formats that hold them."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import ImageOps

from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import metadata
from hyperacuity.formats.photo.tiff_tags import EXIF, Tiff
from hyperacuity.image import Metadata
from tests.formats.samples import (
    ICC,
    MAKER_NOTE,
    XMP,
    exif_block,
    gradient,
    load,
    noise,
    saved,
)


def exif_values(block: bytes) -> dict[Any, Any]:
    read = PIL.Image.Exif()
    read.load(b"Exif\0\0" + block)
    values = (
        dict(read) | dict(read.get_ifd(EXIF)) | {("gps", tag): value for tag, value in read.get_ifd(0x8825).items()}
    )
    return {tag: value for tag, value in values.items() if tag not in (EXIF, 0x8825)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_metadata_is_kept(suffix: str, order: str, tmp_path: Path) -> None:
    given_metadata = Metadata(icc=ICC, exif=metadata.upright(exif_block(order=order)), xmp=XMP, dpi=(300, 150))
    image = gradient(metadata=given_metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        back = saved(tmp_path / f"a{suffix}", image).header.metadata
    assert back.icc == ICC
    assert back.xmp == XMP.replace(b'Dimension="1"', b'Dimension="64"')
    assert back.exif is not None
    expected = exif_values(exif_block(order=order)) | {0xA002: 64, 0xA003: 48}
    found = exif_values(back.exif)
    if suffix == ".tif":
        # The page has its own resolution and orientation.
        expected = {tag: value for tag, value in expected.items() if tag not in (274, 282, 283, 296)}
    assert {tag: found.get(tag) for tag in expected} == expected
    if suffix in (".jpg", ".png", ".webp"):
        assert MAKER_NOTE in back.exif
        assert len(back.exif) == len(exif_block(order=order))
    if suffix in (".jpg", ".png", ".tif"):
        assert back.dpi == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_pixels_per_inch_are_kept_without_exif_too(suffix: str, tmp_path: Path) -> None:
    back = saved(tmp_path / f"a{suffix}", gradient(metadata=Metadata(dpi=(300, 150)))).header.metadata.dpi
    assert back == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("second", [".jpg", ".png", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("first", [".jpg", ".png", ".webp", ".tif"])
def test_metadata_survives_a_change_of_format(first: str, second: str, tmp_path: Path) -> None:
    image = gradient(metadata=Metadata(icc=ICC, exif=metadata.upright(exif_block()), xmp=XMP, dpi=(300, 300)))
    back = saved(tmp_path / f"b{second}", saved(tmp_path / f"a{first}", image)).header.metadata
    assert back.icc == ICC
    assert back.xmp is not None
    assert back.exif is not None
    found = exif_values(back.exif)
    assert (found[36867], found[0xA002], found["gps", 1]) == ("2020:01:01 00:00:00", 64, "N")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(kind: str, orientation: int, tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(noise(3, np.uint8, 12, 20))
    file = io.BytesIO()
    options: Any = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    picture.save(file, kind, exif=b"Exif\0\0" + exif_block(orientation), dpi=(300, 150), **options)
    with PIL.Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened)
        assert upright is not None
        expected = np.asarray(upright)
    image = load(file.getvalue())
    np.testing.assert_array_equal(image.pixels, expected)
    if kind != "WEBP":
        assert image.header.metadata.dpi == pytest.approx((150, 300) if orientation >= 5 else (300, 150), abs=0.02)
    # Through each format once more: nothing is rotated again.
    for suffix in (".png", ".tif", ".webp"):
        np.testing.assert_array_equal(saved(tmp_path / f"a{suffix}", image).pixels, expected)
        with PIL.Image.open(tmp_path / f"a{suffix}") as written:
            assert written.getexif().get(274, 1) == 1


def test_orientation_in_xmp_is_applied_and_reset() -> None:
    picture = PIL.Image.fromarray(noise(3, np.uint8, 12, 20))
    file = io.BytesIO()
    packet = b'<x:xmpmeta><rdf:RDF tiff:Orientation="6"/></x:xmpmeta>'
    picture.save(file, "PNG", pnginfo=None, xmp=packet)
    data = file.getvalue()
    if b"XML:com.adobe.xmp" not in data:  # older Pillow writes none
        body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
        chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
        data = data[:33] + chunk + data[33:]
    image = load(data)
    np.testing.assert_array_equal(image.pixels, np.rot90(np.asarray(picture), -1))
    assert image.header.metadata.xmp is not None
    assert b'tiff:Orientation="1"' in image.header.metadata.xmp


def test_stale_thumbnail_is_dropped() -> None:
    head = b"II*\0\x08\0\0\0"
    thumbnail = b"\xff\xd8THUMB\xff\xd9"
    main = struct.pack("<HHHIHHI", 1, 274, 3, 1, 6, 0, 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x201, 4, 1, 56, 0x202, 4, 1, len(thumbnail), 0)
    upright = metadata.upright(head + main + second + thumbnail)
    assert b"THUMB" not in upright
    tiff = Tiff(upright)
    entries, following, _ = tiff.directory(tiff.first)
    assert (tiff.integer(entries, 274, 0), following) == (1, 0)


def test_damaged_exif_is_left_out_with_a_warning(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(gradient().pixels).save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x00")
    with pytest.warns(LossWarning, match="EXIF block is damaged"):
        image = load(file.getvalue())
    assert image.header.metadata.exif is None
