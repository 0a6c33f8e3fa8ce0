"""AVIF."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import formats
from hyperacuity.errors import HyperacuityError, UnsupportedFormat, UsageError
from hyperacuity.formats import LossWarning
from hyperacuity.image import Image, Metadata, StatedColour
from tests.formats.jpeg_files import packet
from tests.formats.samples import ICC, XMP, enlarge, exif_block, gradient, load, noise, save, saved


def test_avif_keeps_12_bits(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :64]
    image = Image.from_pixels(np.stack([x * 1000, y * 2000, x * 500], axis=2).astype(np.uint16))
    with pytest.warns(LossWarning, match="12 bits"):
        back = saved(tmp_path / "a.avif", image, quality=100)
    assert back.header.levels == (0, 65520)
    assert np.abs(back.pixels.astype(int) - image.pixels).mean() < 60


def animation(count: int = 4) -> bytes:
    """Frames of one colour each."""
    file = io.BytesIO()
    frames = [PIL.Image.new("RGB", (48, 32), (60 * n, 200 - 40 * n, 90)) for n in range(count)]
    frames[0].save(
        file, "AVIF", save_all=True, append_images=frames[1:], duration=[50 * n for n in range(1, count + 1)]
    )
    return file.getvalue()


def test_animated_avif_is_read() -> None:
    with formats.read(animation()) as source:
        assert (source.frames, source.loop, source.lossless, source.suffix) == (4, 0, False, ".webp")
        frames = list(source)
        again = list(source)
    assert [frame.header.duration for frame in frames] == [0.05, 0.1, 0.15, 0.2]
    for n, (frame, same) in enumerate(zip(frames, again, strict=True)):
        assert frame.pixels.shape == (32, 48, 3)
        assert np.abs(frame.pixels.astype(int) - (60 * n, 200 - 40 * n, 90)).max() < 6
        np.testing.assert_array_equal(frame.pixels, same.pixels)
        assert not [item for item in frame.header.metadata.items if item.carrier is None]
    assert formats.list_items(animation()) == frames[0].header.metadata.items


def test_an_animated_avif_becomes_another_animation(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(animation())
    hyperacuity.upscale(tmp_path / "a.avif", 2, model="bicubic", output=tmp_path / "b.webp")
    with PIL.Image.open(tmp_path / "b.webp") as back:
        assert (back.size, getattr(back, "n_frames", 1)) == ((96, 64), 4)
    with pytest.raises(UsageError, match=r"AVIF does not hold 4 frames; write to .* \.webp"):
        hyperacuity.upscale(tmp_path / "a.avif", 2, model="bicubic", output=tmp_path / "b.avif")


@pytest.mark.parametrize("cut", [20, 0.3, 0.6, 0.9])
def test_a_damaged_animated_avif_is_damaged(cut: float) -> None:
    data = animation()
    with pytest.raises(HyperacuityError), formats.read(data[: int(cut if cut > 1 else cut * len(data))]) as source:
        list(source)


def test_animated_avif_of_more_than_8_bits_is_refused() -> None:
    data = bytearray(animation())
    data[data.index(b"av1C") + 6] |= 0x40
    with pytest.raises(UnsupportedFormat, match="animated AVIF with more than 8 bits; convert it to WebP"):
        formats.read(bytes(data))


def avif(
    picture: PIL.Image.Image | None = None, codes: tuple[int, int, int, int] = (1, 13, 6, 1), **options: Any
) -> bytes:
    """A file made by libavif, with these codes of colour written over its own."""
    file = io.BytesIO()
    (picture or PIL.Image.fromarray(gradient().pixels)).save(file, "AVIF", **options)
    data = bytearray(file.getvalue())
    at = data.index(b"colrnclx") + 8
    data[at : at + 7] = struct.pack(">HHHB", *codes[:3], codes[3] << 7)
    return bytes(data)


def nclx(data: bytes) -> tuple[int, ...] | None:
    at = data.find(b"colrnclx") + 8
    return struct.unpack(">HHHB", data[at : at + 7]) if at > 7 else None


def copied(data: bytes, path: Path) -> bytes:
    with formats.read(data) as source, formats.write(path, source) as sink:
        for image in source:
            sink.write(image.strips())
    return path.read_bytes()


@pytest.mark.parametrize("codes", [(9, 16), (9, 18), (12, 13), (9, 14), (1, 1), (5, 4), (1, 13)])
@pytest.mark.parametrize("full", [0, 1])
def test_codes_of_colour_are_kept_and_name_the_values_as_encoded(
    codes: tuple[int, int], full: int, tmp_path: Path
) -> None:
    given = avif(codes=(*codes, 6, full))
    copy = copied(given, tmp_path / "a.avif")
    assert nclx(copy) == (*codes, 6, 128)
    before, after = load(given), load(copy)
    assert np.abs(before.pixels.astype(int) - after.pixels).mean() < 2
    if ffprobe := shutil.which("ffprobe"):
        command = [
            ffprobe,
            "-v",
            "error",
            "-show_entries",
            "stream=color_transfer",
            "-of",
            "csv=p=0",
            str(tmp_path / "a.avif"),
        ]
        names = {16: "smpte2084", 18: "arib-std-b67", 13: "iec61966-2-1", 14: "bt2020-10", 1: "bt709", 4: "bt470m"}
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert found in (names[codes[1]], "unknown")


def test_codes_go_to_png_and_back(tmp_path: Path) -> None:
    png = copied(avif(codes=(9, 16, 9, 1)), tmp_path / "a.png")
    at = png.index(b"cICP")
    assert png[at + 4 : at + 8] == bytes([9, 16, 0, 1])
    assert nclx(copied(png, tmp_path / "b.avif")) == (9, 16, 6, 128)


def test_no_codes_are_added(tmp_path: Path) -> None:
    save(tmp_path / "a.avif", gradient())
    assert nclx((tmp_path / "a.avif").read_bytes()) is None
    assert b"Exif" not in (tmp_path / "a.avif").read_bytes()


def test_profile_and_codes_are_both_kept(tmp_path: Path) -> None:
    colour = StatedColour(9, 16)
    back = saved(tmp_path / "a.avif", gradient(metadata=Metadata(icc=ICC, colour=colour)))
    assert (back.header.metadata.icc, back.header.metadata.colour) == (ICC, colour)


def test_light_and_shape_of_pixels_are_kept_across_formats(tmp_path: Path) -> None:
    mastering = (35400, 14600, 8500, 39850, 6550, 2300, 15635, 16450, 10000000, 50)
    colour = StatedColour(9, 16, mastering=mastering, light=(10000000, 4000000))
    metadata = Metadata(colour=colour, density_ratio=(4, 3))
    for name in ("a.png", "b.avif", "c.png", "d.avif"):
        image = saved(tmp_path / name, gradient(metadata=metadata))
        metadata = image.header.metadata
        assert (metadata.colour, metadata.density_ratio) == (colour, (4, 3))
    data = (tmp_path / "d.avif").read_bytes()
    at = data.index(b"mdcv") + 4
    # Green comes first (ISO/IEC 23008-12, 6.5.24, as in HEVC), and a pixel is 3 wide and 4 high.
    assert struct.unpack(">8H2I", data[at : at + 24]) == (8500, 39850, 6550, 2300, 35400, 14600, *mastering[6:])
    assert struct.unpack(">HH", data[(at := data.index(b"clli") + 4) : at + 4]) == (1000, 400)
    assert struct.unpack(">II", data[(at := data.index(b"pasp") + 4) : at + 8]) == (3, 4)
    with pytest.warns(LossWarning) as caught:
        copied(data, tmp_path / "e.jpg")
    said = " ".join(str(each.message) for each in caught)
    assert "JPEG cannot hold the source's mastering display (mdcv), light levels (clli)" in said
    assert "BT.2020 PQ only by the cicp tag" in said


def test_exif_and_xmp_are_written_byte_for_byte(tmp_path: Path) -> None:
    exif = exif_block()
    copy = saved(tmp_path / "a.avif", gradient(metadata=Metadata(exif=exif, xmp=XMP)))
    assert copy.header.metadata.exif is not None
    assert len(copy.header.metadata.exif) == len(exif)
    with PIL.Image.open(tmp_path / "a.avif") as opened:
        assert opened.getexif()[282] == 300
        assert opened.info["xmp"].startswith(XMP[:40])
    if exiftool := shutil.which("exiftool"):
        found = subprocess.run(
            [exiftool, "-s3", "-GPSLatitudeRef", "-DateTimeOriginal", tmp_path / "a.avif"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.split("\n")[:2] == ["North", "2020:01:01 00:00:00"]


@pytest.mark.parametrize("bits", [10, 12])
def test_depth_is_kept_exactly_as_stated(bits: int, tmp_path: Path) -> None:
    white = ((1 << bits) - 1) << (16 - bits)
    codes = np.mgrid[:32, :64][1].astype(np.uint16) * (((1 << bits) - 1) // 64)
    image = Image.from_pixels(np.dstack([codes << (16 - bits)] * 3), levels=(0, white))
    back = saved(tmp_path / "a.avif", image, quality=100)
    assert back.header.levels == (0, white)
    data = (tmp_path / "a.avif").read_bytes()
    assert data[(at := data.index(b"pixi") + 9) : at + 3] == bytes([bits] * 3)
    assert np.abs(back.pixels.astype(int) - image.pixels).mean() < 2 << (16 - bits)


def test_premultiplied_colours_are_divided_by_alpha(tmp_path: Path) -> None:
    pixels = np.dstack([gradient().pixels, np.full((48, 64), 128, np.uint8)])
    given = avif(PIL.Image.fromarray(pixels), alpha_premultiplied=True, quality=100)
    image = load(given)
    assert np.abs(image.pixels.astype(int) - pixels).mean() < 4


def test_monochrome_is_grey() -> None:
    given = avif(PIL.Image.fromarray(gradient().pixels).convert("L"), subsampling="4:0:0")
    assert load(given).header.channels == 1


def test_images_beside_the_main_one_are_named(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(noise(4, height=48, width=64))
    depth = avif(picture).replace(b"auxiliary:alpha", b"auxiliary:depth")
    manifest = struct.pack(">I4s", 40, b"uuid") + bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(16)
    unknown = avif(exif=exif_block()).replace(b"ExifExif\0", b"quuxExif\0")
    for data, named in (
        (depth, "depth map"),
        (avif() + manifest, "C2PA manifest"),
        (avif() + struct.pack(">I4s", 12, b"abcd") + b"1234", "box 'abcd'"),
        (unknown, "item 'quux'"),
    ):
        with pytest.warns(LossWarning, match=f"not carried over.*: {named}"):
            copied(data, tmp_path / "a.avif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copied(avif(), tmp_path / "a.avif")


def test_the_video_of_a_motion_photo_is_named_and_no_longer_announced(tmp_path: Path) -> None:
    camera = "http://ns.google.com/photos/1.0/camera/"
    save(
        tmp_path / "a.avif",
        gradient(metadata=Metadata(xmp=packet('GCamera:MotionPhoto="1" GCamera:x="1"', GCamera=camera))),
    )
    source = (tmp_path / "a.avif").read_bytes() + b"\0\0\0\x10mpvd" + b"\0\0\0\x08ftyp"
    (tmp_path / "b.avif").write_bytes(source)
    said = enlarge(tmp_path / "b.avif", tmp_path / "c.avif")
    assert said == ["c.avif: not carried over to the result: video of the motion photo"]
    xmp = load(tmp_path / "c.avif").header.metadata.xmp or b""
    assert b"MotionPhoto" not in xmp
    assert b'GCamera:x="1"' in xmp
