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
from PIL.TiffImagePlugin import IFDRational

from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import metadata
from hyperacuity.formats.photo.geometry import Turn
from hyperacuity.formats.photo.tiff_tags import EXIF, Entry, Tiff, joined, tree
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
from tests.formats.test_inventory import enlarged


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


def measured_exif(order: str, orientation: int) -> bytes:
    """An EXIF block with a size, a subject, pixels per inch of the sensor, an interoperability directory and a note."""
    block = PIL.Image.Exif()
    block.endian = order
    block[274], block[282], block[283], block[296] = orientation, 300.0, 150.0, 2
    inner = block.get_ifd(EXIF)
    inner[0xA20E], inner[0xA20F], inner[0xA210] = IFDRational(6834, 10), IFDRational(500, 1), 2
    inner[37396], inner[41492] = (60, 30, 20, 10), (60, 30)
    inner[0xA002], inner[0xA003] = 120, 90
    inner[37500] = MAKER_NOTE
    inner[0xA005] = {1: "R98", 0x1001: 120, 0x1002: 90}
    return block.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("orientation", "area", "focal"),
    [
        (1, (120, 60, 40, 20), (1366.8, 1000)),
        (3, (120, 120, 40, 20), (1366.8, 1000)),
        (6, (120, 120, 20, 40), (1000, 1366.8)),
        (8, (60, 120, 20, 40), (1000, 1366.8)),
    ],
)
def test_what_exif_measures_in_pixels_is_turned_and_scaled(
    order: str, orientation: int, area: tuple[int, ...], focal: tuple[float, float], tmp_path: Path
) -> None:
    block = measured_exif(order, orientation)
    file = io.BytesIO()
    PIL.Image.fromarray(noise(3, np.uint8, 90, 120)).save(file, "JPEG", exif=b"Exif\0\0" + block)
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    assert enlarged(tmp_path / "a.jpg", tmp_path / "b.jpg") == []
    back = load(tmp_path / "b.jpg").header.metadata.exif
    assert back is not None
    assert len(back) == len(block)
    assert back.index(MAKER_NOTE) == block.index(MAKER_NOTE)
    found = PIL.Image.Exif()
    found.load(b"Exif\0\0" + back)
    inner = found.get_ifd(EXIF)
    assert inner[37396] == area
    assert inner[41492] == area[:2]
    assert (float(inner[0xA20E]), float(inner[0xA20F])) == pytest.approx(focal)
    size = (180, 240) if orientation >= 5 else (240, 180)
    assert (inner[0xA002], inner[0xA003]) == size
    related = found.get_ifd(0xA005)
    assert (related[0x1001], related[0x1002]) == size
    assert found[274] == 1
    assert (found[282], found[283]) == ((150, 300) if orientation >= 5 else (300, 150))


@pytest.mark.parametrize(("above", "below"), [(6834, 10), (4294967295, 1000), (0, 1), (1, 0), (1, 4294967295)])
@pytest.mark.parametrize("factor", [2, 1.5, 1234 / 617.5, 8])
def test_fractions_stay_within_32_bits(above: int, below: int, factor: float) -> None:
    base = measured_exif("<", 1)
    tiff = Tiff(base)
    at = tree(tiff, tiff.directory(tiff.first)[0])[EXIF][0xA20E].at
    block = base[:at] + struct.pack("<II", above, below) + base[at + 8 :]
    scaled = struct.unpack("<II", metadata.sized(block, 1, 1, (factor, factor))[at : at + 8])
    if above and below:
        assert scaled[0] / scaled[1] == pytest.approx(above / below * factor, rel=1e-3)
    else:
        assert scaled == (above, below)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "stored", "after", "turned"),
    [
        (3, [50, 80], [100, 160], [160, 100]),
        (4, [50, 80], [100, 160], [160, 100]),
        (5, [50, 3, 80, 7], [100, 3, 160, 7], [160, 7, 100, 3]),
        (9, [50, 80], [100, 160], [160, 100]),
        (10, [50, 3, 80, 7], [100, 3, 160, 7], [160, 7, 100, 3]),
        (11, [50.5, 80.25], [101.0, 160.5], [160.5, 101.0]),
        (12, [50.5, 80.25], [101.0, 160.5], [160.5, 101.0]),
    ],
)
def test_measures_of_any_type_are_scaled_and_turned(
    kind: int, stored: list[float], after: list[float], turned: list[float], order: str
) -> None:
    letter = {3: "H", 4: "I", 5: "I", 9: "i", 10: "i", 11: "f", 12: "d"}[kind]
    half = len(stored) // 2
    values = [struct.pack(f"{order}{half}{letter}", *stored[at : at + half]) for at in (0, half)]
    area = struct.pack(f"{order}{len(stored)}{letter}", *stored)
    inner = {
        41486: Entry(kind, 1, values[0], 0),
        41487: Entry(kind, 1, values[1], 0),
        37396: Entry(kind, 2, area, 0),
    }
    block = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8) + joined(
        {}, {EXIF: inner}, 8, order, False, 0
    )

    def measured(changed: bytes) -> list[list[float]]:
        tiff = Tiff(changed)
        found = tree(tiff, tiff.directory(tiff.first)[0])[EXIF]
        across, down, place = (
            list(struct.unpack(f"{order}{len(found[tag].raw) // struct.calcsize(letter)}{letter}", found[tag].raw))
            for tag in (41486, 41487, 37396)
        )
        return [across + down, place]

    assert measured(metadata.sized(block, 200, 400, (2, 2))) == [after, after]
    upright = metadata.upright(block, Turn(5, 200, 200))
    assert measured(metadata.sized(upright, 400, 400, (2, 2))) == [turned, turned]


def test_measures_of_different_types_are_exchanged() -> None:
    inner = {41486: Entry(5, 1, struct.pack("<II", 100, 1), 0), 41487: Entry(3, 1, struct.pack("<H", 7), 0)}
    block = b"II*\0\x08\0\0\0" + joined({}, {EXIF: inner}, 8, "<", False, 0)
    tiff = Tiff(metadata.upright(block, Turn(6, 9, 9)))
    found = tree(tiff, tiff.directory(tiff.first)[0])[EXIF]
    assert (found[41486].raw, found[41487].raw) == (struct.pack("<II", 7, 1), struct.pack("<H", 100))
