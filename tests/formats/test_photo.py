from __future__ import annotations

import errno
import functools
import io
import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageCms, ImageOps

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat, UsageError
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import metadata, png, spool
from hyperacuity.formats.photo import source as photo_source
from hyperacuity.formats.photo.sink import Job
from hyperacuity.formats.photo.tiff import EXIF, Tiff, tree
from hyperacuity.image import Array, Header, Image, Metadata, Strips
from hyperacuity.storage import Partial

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="1" exif:PixelXDimension="1"/></x:xmpmeta>'
MAKER_NOTE = b"Maker\0\1\2" * 9


def noise(channels: int = 3, dtype: Any = np.uint8, height: int = 21, width: int = 34, seed: int = 0) -> Array:
    values = np.random.default_rng(seed).random((height, width, channels))
    return values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max + 0.5).astype(dtype)


def photo(**options: Any) -> Image:
    """A smooth picture, on which lossy codecs do well."""
    height, width = options.get("height", 48), options.get("width", 64)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 / width, y * 255 / height, 128 + 0 * x], axis=2).astype(np.uint8)
    return Image.from_pixels(pixels, metadata=options.get("metadata"))


def exif(orientation: int = 1, order: str = "<") -> bytes:
    block = PIL.Image.Exif()
    block.endian = order
    block[271] = "Åcme".encode().decode("latin-1")
    block[274] = orientation
    block[282], block[283], block[296] = 300.0, 300.0, 2
    block.get_ifd(EXIF)[36867] = "2020:01:01 00:00:00"
    block.get_ifd(EXIF)[37386] = 35.5
    block.get_ifd(EXIF)[37500] = MAKER_NOTE
    block.get_ifd(EXIF)[0xA002], block.get_ifd(EXIF)[0xA003] = 7, 9
    block.get_ifd(0x8825)[1] = "N"
    return block.tobytes().removeprefix(b"Exif\0\0")


def save(path: Path, *images: Image, like: Any = None, quality: int | None = None) -> None:
    with formats.write(path, like, quality=quality) as sink:
        for image in images:
            sink.write(image.strips())


def load(data: Path | bytes) -> Image:
    with formats.read(data) as source:
        (image,) = source
    return image


def saved(path: Path, image: Image, **options: Any) -> Image:
    save(path, image, **options)
    return load(path)


class Animated:
    """What a source says of an animation, or of pages."""

    def __init__(self, frames: int, loop: int | None, suffix: str = ".gif") -> None:
        self.frames, self.loop, self.suffix = frames, loop, suffix


# ------------------------------------------------------------------------------------------ pixels

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
    image = photo()
    back = saved(tmp_path / f"a{suffix}", image, quality=90)
    assert np.abs(back.pixels.astype(int) - image.pixels).mean() < worst
    best, small = tmp_path / f"b{suffix}", tmp_path / f"c{suffix}"
    noisy = Image.from_pixels(noise())
    save(best, noisy, quality=100)
    save(small, noisy, quality=10)
    assert small.stat().st_size < best.stat().st_size


def test_jpeg_is_the_same_each_time_and_not_subsampled(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo())
    save(tmp_path / "b.jpg", photo())
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
    with PIL.Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_webp_is_lossless_unless_its_source_was_lossy(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo())
    save(tmp_path / "a.png", photo())
    for name, lossless in (("a.jpg", False), ("a.png", True), ("a.webp", True)):
        with formats.read(tmp_path / name) as source:
            (image,) = source
            save(tmp_path / "b.webp", image, like=source)
        assert np.array_equal(load(tmp_path / "b.webp").pixels, image.pixels) == lossless
        (tmp_path / "b.webp").replace(tmp_path / "a.webp")
        save(tmp_path / "a.webp", photo())


def test_avif_keeps_12_bits(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :64]
    image = Image.from_pixels(np.stack([x * 1000, y * 2000, x * 500], axis=2).astype(np.uint16))
    with pytest.warns(LossWarning, match="12 bits"):
        back = saved(tmp_path / "a.avif", image, quality=100)
    assert back.header.levels == (0, 65520)
    assert np.abs(back.pixels.astype(int) - image.pixels).mean() < 60


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_kinds_of_png(mode: str) -> None:
    picture = PIL.Image.fromarray(noise(4)).convert("RGB" if mode == "P" else "L" if mode == "I;16" else "RGBA")
    picture = PIL.Image.fromarray(noise(1, np.uint16)[..., 0]) if mode == "I;16" else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG")
    expected = np.asarray(picture.convert({"1": "L", "P": "RGB"}.get(mode, mode)))
    image = load(file.getvalue())
    np.testing.assert_array_equal(image.pixels, expected.reshape(image.header.shape))
    assert image.header.alpha == (mode in ("LA", "RGBA"))


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_transparent_colour_of_png_becomes_alpha(mode: str) -> None:
    picture = (
        PIL.Image.fromarray(noise(3)).quantize(16).convert(mode)
        if mode != "P"
        else PIL.Image.fromarray(noise(3)).quantize(16)
    )
    key: Any = {"L": picture.getpixel((0, 0)), "P": 3, "RGB": picture.getpixel((0, 0))}[mode]
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=key)
    with PIL.Image.open(file) as opened:
        expected = np.asarray(opened.convert("LA" if mode == "L" else "RGBA"))
    image = load(file.getvalue())
    assert image.header.alpha
    np.testing.assert_array_equal(image.pixels, expected)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_srgb(suffix: str) -> None:
    picture = PIL.Image.fromarray(photo().pixels).convert("CMYK")
    file = io.BytesIO()
    picture.save(
        file,
        {".jpg": "JPEG", ".tif": "TIFF"}[suffix],
        **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}),
    )
    image = load(file.getvalue())
    assert image.header.channels == 3
    assert image.header.metadata.icc is None
    # Without a profile every reader takes its own generic inks; neutral and order of colours must agree with Pillow's.
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


# ------------------------------------------------------------------------------------------ what does not fit


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
    pixels = np.dstack([photo().pixels, np.full((48, 64), 255, np.uint8)])
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


def test_levels_are_stretched_or_said(tmp_path: Path) -> None:
    image = Image.from_pixels((noise(1, np.uint16) >> 6), levels=(0, 1023))
    back = saved(tmp_path / "a.png", image)
    assert back.header.levels == (0, 65535)
    np.testing.assert_array_equal(np.round(back.pixels * (1023 / 65535)), image.pixels)
    back = saved(tmp_path / "a.pgm", image)
    assert back.header.levels == (0, 1023)
    np.testing.assert_array_equal(back.pixels, image.pixels)


def test_metadata_that_does_not_fit_is_named(tmp_path: Path) -> None:
    image = photo(metadata=Metadata(icc=ICC, exif=metadata.upright(exif())))
    with pytest.warns(LossWarning, match="BMP cannot hold what the source says in ICC, EXIF"):
        save(tmp_path / "a.bmp", image)


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


def test_a_profile_that_the_decoder_refuses_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(noise(1)[..., 0]).save(file, "PNG", icc_profile=ICC)
    with formats.read(file.getvalue()) as source, pytest.warns(LossWarning, match="ICC profile"):
        assert next(iter(source)).header.metadata.icc is None


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


def test_colours_into_pgm_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.ppm"):
        save(tmp_path / "a.pgm", photo())


def test_nonsense_quality_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1 .* to 100"):
        formats.write(tmp_path / "a.jpg", None, quality=0)


# ------------------------------------------------------------------------------------------ metadata


def exif_values(block: bytes) -> dict[Any, Any]:
    read = PIL.Image.Exif()
    read.load(b"Exif\0\0" + block)
    values = (
        dict(read) | dict(read.get_ifd(EXIF)) | {("gps", tag): value for tag, value in read.get_ifd(0x8825).items()}
    )
    return {tag: value for tag, value in values.items() if tag not in (EXIF, 0x8825)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_metadata_comes_back(suffix: str, order: str, tmp_path: Path) -> None:
    given_metadata = Metadata(icc=ICC, exif=metadata.upright(exif(order=order)), xmp=XMP, dpi=(300, 150))
    image = photo(metadata=given_metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        back = saved(tmp_path / f"a{suffix}", image).header.metadata
    assert back.icc == ICC
    assert back.xmp == XMP.replace(b'Dimension="1"', b'Dimension="64"')
    assert back.exif is not None
    expected = exif_values(exif(order=order)) | {0xA002: 64, 0xA003: 48}
    found = exif_values(back.exif)
    if suffix == ".tif":
        # The page has its own resolution and orientation.
        expected = {tag: value for tag, value in expected.items() if tag not in (274, 282, 283, 296)}
    assert {tag: found.get(tag) for tag in expected} == expected
    if suffix in (".jpg", ".png", ".webp"):
        assert MAKER_NOTE in back.exif
        assert len(back.exif) == len(exif(order=order))
    if suffix in (".jpg", ".png", ".tif"):
        assert back.dpi == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_dots_per_inch_come_back_without_exif_too(suffix: str, tmp_path: Path) -> None:
    back = saved(tmp_path / f"a{suffix}", photo(metadata=Metadata(dpi=(300, 150)))).header.metadata.dpi
    assert back == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("second", [".jpg", ".png", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("first", [".jpg", ".png", ".webp", ".tif"])
def test_metadata_survives_a_change_of_format(first: str, second: str, tmp_path: Path) -> None:
    image = photo(metadata=Metadata(icc=ICC, exif=metadata.upright(exif()), xmp=XMP, dpi=(300, 300)))
    back = saved(tmp_path / f"b{second}", saved(tmp_path / f"a{first}", image)).header.metadata
    assert back.icc == ICC
    assert back.xmp is not None
    assert back.exif is not None
    found = exif_values(back.exif)
    assert (found[36867], found[0xA002], found["gps", 1]) == ("2020:01:01 00:00:00", 64, "N")


def test_what_a_png_says_in_its_own_way_comes_back_or_its_loss_is_named(tmp_path: Path) -> None:
    own = b"".join(
        [
            png.chunk(b"gAMA", (100000).to_bytes(4)),
            png.chunk(b"cICP", bytes([9, 16, 0, 1])),
            png.chunk(b"tEXt", b"Author\0Ada"),
            png.chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"steps: 20")),
            png.chunk(b"iTXt", "Title\0\0\0de\0Titel\0Größe".encode()),
        ]
    )
    source = saved(tmp_path / "a.png", photo(metadata=Metadata(chunks=own)))
    assert source.header.metadata.chunks == own
    assert saved(tmp_path / "b.png", source).header.metadata.chunks == own
    with PIL.Image.open(tmp_path / "b.png") as opened:
        opened.load()
        assert (opened.info["Author"], opened.info["parameters"], opened.info["gamma"]) == ("Ada", "steps: 20", 1.0)
        assert opened.info["Title"] == "Größe"
    with pytest.warns(LossWarning, match="JPEG cannot hold what the source says in PNG's text or colour"):
        save(tmp_path / "c.jpg", source)
    plain = png.chunk(b"gAMA", (45455).to_bytes(4)) + png.chunk(b"sRGB", b"\0")
    assert saved(tmp_path / "d.jpg", photo(metadata=Metadata(chunks=plain))).header.metadata.chunks == b""


def test_what_a_jpeg_says_in_its_own_way_comes_back_or_its_loss_is_named(tmp_path: Path) -> None:
    def resource(number: int, content: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HBBI", number, 0, 0, len(content)) + content + b"\0" * (len(content) % 2)

    caption = b"\x1c\x02\x78\0\x05Hello"
    thumbnail = resource(1036, b"of the small picture")
    block = b"Photoshop 3.0\0" + thumbnail + resource(0x0404, caption) + thumbnail
    segments = b"\xff\xfe" + struct.pack(">H", 8) + b"hello!"
    segments += b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    source = saved(tmp_path / "a.jpg", photo(metadata=Metadata(segments=segments)))
    assert saved(tmp_path / "b.jpg", source).header.metadata.segments == source.header.metadata.segments
    with PIL.Image.open(tmp_path / "b.jpg") as opened:
        assert opened.info["comment"] == b"hello!"
        assert opened.info["photoshop"] == {0x0404: caption}
    with pytest.warns(LossWarning, match="PNG cannot hold what the source says in JPEG's comments or IPTC"):
        save(tmp_path / "c.png", source)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(kind: str, orientation: int, tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(noise(3, np.uint8, 12, 20))
    file = io.BytesIO()
    options: Any = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    picture.save(file, kind, exif=b"Exif\0\0" + exif(orientation), dpi=(300, 150), **options)
    with PIL.Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened)
        assert upright is not None
        expected = np.asarray(upright)
    image = load(file.getvalue())
    np.testing.assert_array_equal(image.pixels, expected)
    if kind != "WEBP":
        assert image.header.metadata.dpi == pytest.approx((150, 300) if orientation >= 5 else (300, 150), abs=0.02)
    # Once more through each format: nothing turns again.
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
    PIL.Image.fromarray(photo().pixels).save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x00")
    with pytest.warns(LossWarning, match="EXIF block is damaged"):
        image = load(file.getvalue())
    assert image.header.metadata.exif is None


def test_long_exif_and_xmp_do_not_fit_into_jpeg(tmp_path: Path) -> None:
    image = photo(metadata=Metadata(xmp=b"<x>" + b"x" * 70000 + b"</x>"))
    with pytest.warns(LossWarning, match="64 KiB"):
        save(tmp_path / "a.jpg", image)
    assert saved(tmp_path / "a.png", image).header.metadata.xmp == image.header.metadata.xmp


def test_exif_written_to_tiff_is_whole(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", photo(metadata=Metadata(exif=metadata.upright(exif(order=">")))))
    tiff = Tiff((tmp_path / "a.tif").read_bytes())
    (page,) = tiff.directories()
    assert tree(tiff, page)[EXIF][37500].raw == MAKER_NOTE
    with PIL.Image.open(tmp_path / "a.tif") as picture:
        np.testing.assert_array_equal(np.asarray(picture), photo().pixels)
        assert picture.getexif().get_ifd(EXIF)[37386] == 35.5


# ------------------------------------------------------------------------------------------ animations


def frames(channels: int = 4, count: int = 4, dtype: Any = np.uint8) -> list[Image]:
    made = []
    for index in range(count):
        pixels = noise(channels, dtype, 17, 23, seed=index)
        if channels == 4:
            pixels[: index + 1, :, 3] = 0
        made.append(Image.from_pixels(pixels, alpha=channels == 4, duration=(index + 1) / 20))
    return made


@pytest.mark.parametrize("loop", [0, 1, 3])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_animations_come_back(suffix: str, channels: int, loop: int, tmp_path: Path) -> None:
    given_frames = frames(channels)
    path = tmp_path / f"a{suffix}"
    save(path, *given_frames, like=Animated(4, loop))
    with formats.read(path) as source:
        assert (source.frames, source.loop, source.suffix) == (4, loop, suffix)
        back = list(source)
        assert len(list(source)) == 4  # can be read again
    assert [image.header.duration for image in back] == [0.05, 0.1, 0.15, 0.2]
    assert os.listdir(tmp_path) == [path.name]
    if suffix != ".gif":
        for one, other in zip(back, given_frames, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
    with PIL.Image.open(path) as picture:
        assert picture.n_frames == 4  # type: ignore[attr-defined]


def test_animated_png_keeps_16_bits_and_odd_delays(tmp_path: Path) -> None:
    given_frames = [replace(image, header=replace(image.header, duration=1 / 30)) for image in frames(3, 3, np.uint16)]
    save(tmp_path / "a.png", *given_frames)
    with formats.read(tmp_path / "a.png") as source:
        for one, other in zip(source, given_frames, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
            assert one.header.duration == 1 / 30


def test_frames_of_gif_have_few_colours_exactly(tmp_path: Path) -> None:
    given_frames = [
        Image.from_pixels(np.kron(noise(3, np.uint8, 3, 5, seed), np.ones((4, 4, 1), np.uint8)), duration=0.1)
        for seed in (1, 2)
    ]
    save(tmp_path / "a.gif", *given_frames, like=Animated(2, 0))
    with formats.read(tmp_path / "a.gif") as source:
        for one, other in zip(source, given_frames, strict=True):
            assert np.abs(one.pixels[..., :3].astype(int) - other.pixels).max() <= 8


def test_pages_of_tiff_come_back(tmp_path: Path) -> None:
    pages = [Image.from_pixels(noise(3, np.uint16, seed=seed)) for seed in range(3)]
    save(tmp_path / "a.tif", *pages, like=Animated(3, None))
    with formats.read(tmp_path / "a.tif") as source:
        assert (source.frames, source.loop) == (3, None)
        for one, other in zip(source, pages, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)


def test_pages_of_several_sizes_are_read_and_not_written_together(tmp_path: Path) -> None:
    file = io.BytesIO()
    pictures = [PIL.Image.fromarray(noise(3, np.uint8, height, 20)) for height in (10, 14)]
    pictures[0].save(file, "TIFF", save_all=True, append_images=pictures[1:])
    with formats.read(file.getvalue()) as source:
        images = list(source)
    assert [image.header.height for image in images] == [10, 14]
    with pytest.raises(UsageError, match="one size"):
        save(tmp_path / "a.tif", *images)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(("suffix", "loop"), [(".jpg", 0), (".bmp", 1), (".avif", 0), (".png", None), (".gif", None)])
def test_frames_into_a_still_format_are_refused_before_work(suffix: str, loop: int | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="webp" if loop is not None else r"\.tif"):
        formats.write(tmp_path / f"a{suffix}", Animated(5, loop))  # type: ignore[arg-type]


def test_second_image_into_a_still_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the second"):
        save(tmp_path / "a.jpg", photo(), photo())
    assert not os.listdir(tmp_path)


# ------------------------------------------------------------------------------------------ damage


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    picture = PIL.Image.fromarray(photo().pixels)
    options: dict[str, Any] = {"GIF": {"save_all": True, "append_images": [picture.rotate(90)]}}.get(kind, {})
    if kind == "APNG":
        kind, options = "PNG", {"save_all": True, "append_images": [picture.rotate(90)]}
    if kind == "TIFF":
        options = {"compression": "tiff_adobe_deflate"}
    picture.save(file, kind, **options)
    return file.getvalue()


KINDS = ["PNG", "APNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "PPM", "JPEG2000"]


@pytest.mark.parametrize("kind", KINDS)
def test_cut_files_are_damaged_at_every_length(kind: str) -> None:
    data = encoded(kind)
    for length in sorted(
        {*range(1, 64, 5), *range(64, len(data), max(1, len(data) // 40)), *range(len(data) - 20, len(data))}
    ):
        with pytest.raises((DamagedFile, UnsupportedFormat)) as caught, formats.read(data[:length]) as source:
            list(source)
        if length >= 18:
            assert caught.type is DamagedFile, f"{length} of {len(data)}: {caught.value}"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=6))
def test_flipped_bits_raise_nothing_but_our_errors(kind: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(encoded(kind))
    for where, bit in flips:
        data[int(where * len(data))] ^= 1 << bit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        try:
            with formats.read(bytes(data)) as source:
                list(source)
        except HyperacuityError:
            pass


@settings(max_examples=150, deadline=None)
@given(head=st.sampled_from([encoded(kind)[:12] for kind in KINDS]), tail=st.binary(max_size=400))
def test_noise_behind_a_magic_number_raises_nothing_but_our_errors(head: bytes, tail: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        try:
            with formats.read(head + tail) as source:
                list(source)
        except HyperacuityError:
            pass


def bomb(width: int, height: int) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))


def test_small_headers_and_damaged_ones() -> None:
    """Each of these was an internal error once."""
    os2 = b"BM" + struct.pack("<IHHIIHHHH", 30, 0, 0, 26, 12, 1, 1, 1, 24) + b"\1\2\3\0"
    assert load(os2).pixels.tolist() == [[[3, 2, 1]]]
    whole = encoded("PNG")
    xmp = png.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0nonsense")
    with pytest.warns(LossWarning, match="the XMP packet is damaged and is left out"):
        assert load(whole[:33] + xmp + whole[33:]).header.metadata.xmp is None
    text = b"P7\nWIDTH 1\nHEIGHT \n \nDEPTH 1\nMAXVAL 255\nENDHDR\n\0"
    for data, words in (
        (os2[:20], "cut short inside its header"),
        (text, "lacks HEIGHT"),
    ):
        with pytest.raises(DamagedFile, match=words):
            load(data)


def test_a_resolution_beyond_bmp_is_the_highest_that_it_can_say(tmp_path: Path) -> None:
    dpi = saved(tmp_path / "a.bmp", photo(metadata=Metadata(dpi=(1e9, 300)))).header.metadata.dpi
    assert dpi == pytest.approx((2**31 * 0.0254, 300), rel=1e-3)


def test_a_tiff_that_would_fill_the_memory_is_refused() -> None:
    tags, span = 300, 4000
    entries = b"".join(struct.pack("<HHII", 1000 + n, 1, span, 8 + 2 + 12 * tags + 4) for n in range(tags))
    data = b"II*\0" + struct.pack("<IH", 8, tags) + entries + b"\0" * (4 + span)
    with pytest.raises(DamagedFile, match="name the same bytes again and again"):
        load(data)


def test_a_raw_photo_is_told_to_be_developed() -> None:
    entries = struct.pack("<HHII", 254, 4, 1, 1) + struct.pack("<HHII", 50706, 1, 4, 0x0401)
    with pytest.raises(UnsupportedFormat, match=r"a raw photo \(DNG\): develop it into a TIFF first"):
        load(b"II*\0" + struct.pack("<IH", 8, 2) + entries + b"\0" * 4)


def test_bombs_are_refused_by_their_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedFormat, match=r"60000 × 60000 .* HYPERACUITY_MAX_PIXELS=3600000000"):
        formats.read(bomb(60000, 60000))
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";"
    bmp = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 100000, 100000, 1, 24, 0, 0, 0, 0, 0, 0)
    for data in (gif, bmp, b"P6 100000 100000 255\n"):
        with pytest.raises(UnsupportedFormat, match="HYPERACUITY_MAX_PIXELS"):
            formats.read(data)
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "3000")
    with pytest.raises(UnsupportedFormat, match="more than 3000 are not decoded"):
        formats.read(encoded("PNG"))
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "3072")
    assert load(encoded("PNG")).header.shape == (48, 64, 3)
    monkeypatch.setenv("HYPERACUITY_MAX_PIXELS", "many")
    with pytest.raises(UsageError, match="'many'"):
        formats.read(encoded("PNG"))


def test_pillow_limit_of_the_host_is_neither_used_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("BMP", "GIF", "JPEG2000"):
        data = encoded_quietly(kind)
        with formats.read(data) as source:
            assert all(image.header.shape == (48, 64, 3) for image in source)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def encoded_quietly(kind: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return encoded(kind)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        data = encoded(kind)
        for length in (len(data), len(data) * 2 // 3):
            try:
                with formats.read(data[:length]) as source:
                    list(source)
            except HyperacuityError:
                pass
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------ dispatch and names


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", DamagedFile, "is empty"),
        (b"  <!DOCTYPE html><html>", UnsupportedFormat, "an HTML page"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", UnsupportedFormat, "SVG"),
        (b"PK\3\4\0\0", UnsupportedFormat, "ZIP"),
        (b"%PDF-1.7\n", UnsupportedFormat, "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", UnsupportedFormat, "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", UnsupportedFormat, "video"),
        (b"hello\n", UnsupportedFormat, "text"),
        (b"\0\1\2\3\4\5\6\7", UnsupportedFormat, "of no kind that we know"),
    ],
)
def test_other_content_is_named(content: bytes, error: type[Exception], words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        formats.read(path)
    assert str(path) in str(caught.value)
    with pytest.raises(error, match=words):
        formats.read(content)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        formats.read(tmp_path / "none.png")
    with pytest.raises(UsageError, match="is a folder; give a file") as caught:
        formats.read(tmp_path)
    assert "cannot be opened" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be opened"):
        formats.read(Path("a\0b.png"))


def test_endings_that_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"Did you mean '\.jpeg'\?"):
        formats.write(tmp_path / "a.jpeh", None)
    with pytest.raises(UnsupportedFormat, match="has no ending"):
        formats.write(tmp_path / "a", None)
    assert formats.knows(Path("A.JPG"))
    assert not formats.knows(Path("a.txt"))
    with pytest.raises(UnsupportedFormat, match="is a folder"):
        formats.write(tmp_path, None)


def test_folders_are_searched_for_what_is_read_too() -> None:
    assert formats.readable(Path("A.JPG"))
    assert formats.readable(Path("a.jp2"))
    assert not formats.knows(Path("a.jp2"))
    assert not formats.readable(Path("a.txt"))


def test_the_name_does_not_decide(tmp_path: Path) -> None:
    path = tmp_path / "really.jpg"
    path.write_bytes(encoded("PNG"))
    with formats.read(path) as source:
        assert source.suffix == ".png"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".gif", ".bmp", ".pgm"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_strange_names(suffix: str, in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_memory:
        monkeypatch.setattr(spool, "MEMORY", 0)
    for name in ("a b", "[n=2]", "a[page=1,dpi=3]", "100%d%s", "ünï-名前", "-q", "x" * 240, os.fsdecode(b"\xff\xfe")):
        path = tmp_path / (name + suffix)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LossWarning)
            save(path, Image.from_pixels(photo().pixels[..., :1]))
        assert os.listdir(tmp_path) == [path.name]
        assert load(path).header.shape[:2] == (48, 64)
        path.unlink()


def test_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "real" / "a.png")
    save(link, photo())
    assert link.is_symlink()
    assert load(tmp_path / "real" / "a.png").header.shape == (48, 64, 3)


def test_output_may_replace_its_own_input(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(path, photo())
    with formats.read(path) as source, formats.write(path, source) as sink:
        for image in source:
            sink.write(image.strips())
    np.testing.assert_array_equal(load(path).pixels, photo().pixels)


# ------------------------------------------------------------------------------------------ nothing is left behind


def stopped_behind_a_whole_image(path: Path, error: type[BaseException]) -> None:
    with formats.write(path, None) as sink:
        sink.write(photo().strips())
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_an_exception_leaves_all_as_it_was(
    error: type[BaseException], memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MEMORY", memory)
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def rows() -> Iterator[Array]:
        yield photo().pixels[:10]
        raise error

    with pytest.raises(error), formats.write(path, None) as sink:
        sink.write(Strips(photo().header, rows()))
    with pytest.raises(error):
        stopped_behind_a_whole_image(path, error)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.png"]


def test_missing_and_surplus_rows_are_refused(tmp_path: Path) -> None:
    header = photo().header
    for rows in (photo().pixels[:-1], np.tile(photo().pixels, (2, 1, 1)), photo().pixels[:, :-1]):
        with pytest.raises(UsageError, match=r"[rR]ows"), formats.write(tmp_path / "a.png", None) as sink:
            sink.write(Strips(header, [rows]))
    with pytest.raises(UsageError, match="no image"):
        save(tmp_path / "a.png")
    assert not os.listdir(tmp_path)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Partial, data: bytes | memoryview) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Partial, "write", full)
    with pytest.raises(UsageError, match="disk is full"):
        save(tmp_path / "a.jpg", photo())
    monkeypatch.setattr(spool, "MEMORY", 0)
    with pytest.raises(UsageError, match="disk is full"):
        save(tmp_path / "a.png", photo())
    assert not os.listdir(tmp_path)


SINGLE: Any = Animated(1, None, ".png")  # one frame and no more: its encoder need not wait for the end


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 300),
    channels=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    suffix=st.sampled_from([".png", ".jpg"]),
    strip=st.integers(1, 300),
)
@pytest.mark.filterwarnings("ignore::hyperacuity.LossWarning")
def test_what_is_encoded_while_it_arrives_is_the_same_file(
    height: int, width: int, channels: int, dtype: Any, suffix: str, strip: int, tmp_path: Path
) -> None:
    pixels = noise(channels, dtype, height, width)
    image = Image.from_pixels(pixels, alpha=channels in (2, 4), metadata=Metadata(exif=exif(), dpi=(300, 300)))
    paths = [tmp_path / f"{name}{suffix}" for name in ("at-once", "following")]
    for path, like in zip(paths, (None, SINGLE), strict=True):
        with formats.write(path, like) as sink:
            sink.write(Strips(image.header, (pixels[top : top + strip] for top in range(0, height, strip))))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_encoder_begins_before_the_last_row(tmp_path: Path) -> None:
    pixels = noise(height=1200, width=900)
    written: list[int] = []

    def rows() -> Iterator[Array]:
        yield pixels[:1000]
        (partial,) = tmp_path.iterdir()
        deadline = time.monotonic() + 30
        while not partial.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.01)
        written.append(partial.stat().st_size)
        yield pixels[1000:]

    with formats.write(tmp_path / "a.png", SINGLE) as sink:
        sink.write(Strips(Image.from_pixels(pixels).header, rows()))
    assert written[0] > 0
    np.testing.assert_array_equal(load(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, None])
def test_an_encoder_that_follows_is_let_go(
    error: type[BaseException] | None, suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = noise(height=600, width=300)

    def rows() -> Iterator[Array]:
        yield pixels[:500]
        if error is not None:
            raise error

    expected = error or UsageError
    with pytest.raises(expected), formats.write(tmp_path / f"a{suffix}", SINGLE) as sink:
        sink.write(Strips(Image.from_pixels(pixels).header, rows()))
    assert not os.listdir(tmp_path)
    assert capfd.readouterr().err == ""


def test_a_disk_that_is_full_while_rows_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Partial, "write", functools.partial(_raise, OSError(errno.ENOSPC, "No space left on device")))
    monkeypatch.setattr(Job, "target", functools.partial(_raise, OSError(errno.ENOSPC, "No space left on device")))
    for name in ("a.png", "a.jpg"):
        with pytest.raises(UsageError, match="disk is full"):
            save(tmp_path / name, photo(), like=SINGLE)
    assert not os.listdir(tmp_path)


def _raise(error: BaseException, *_: object) -> Any:
    raise error


def test_without_memory_the_rows_wait_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise MemoryError

    image = photo()
    with formats.write(tmp_path / "a.png", None) as sink, monkeypatch.context() as patch:
        patch.setattr(np, "empty", none)
        sink.write(image.strips())
    assert os.listdir(tmp_path) == ["a.png"]
    np.testing.assert_array_equal(next(iter(formats.read(tmp_path / "a.png"))).pixels, image.pixels)


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from hyperacuity import formats
from hyperacuity.errors import UsageError
from hyperacuity.image import Image
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
image = Image.from_pixels(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))
for suffix in (".png", ".jpg", ".tif", ".webp", ".avif", ".bmp", ".ppm", ".gif"):
    try:
        with formats.write(Path(sys.argv[1], "a" + suffix), None, quality=100) as sink:
            sink.write(image.strips())
    except UsageError as error:
        assert "was not written" in str(error) and "full" in str(error), error
    else:
        raise SystemExit(suffix + " was written")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX's")
def test_a_file_that_cannot_grow_is_an_error_and_is_removed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED, str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_forbidden_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="no permission"):
        save(tmp_path / "a.png", photo())


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        save(tmp_path / "none" / "a.png", photo())
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UsageError, match="a folder stands"), formats.write(tmp_path / "a.png", None):
        pytest.fail("work would begin here")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
def test_a_file_that_shrinks_while_it_is_open_is_read_all_the_same(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(kind))
    with formats.read(path) as source:
        os.truncate(path, 40)
        assert next(iter(source)).header.width == 64


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
def test_large_files_are_mapped(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_source, "COPIED", 0)
    path = tmp_path / "a"
    path.write_bytes(encoded(kind))
    with formats.read(path) as mapped, formats.read(path.read_bytes()) as copied:
        np.testing.assert_array_equal(next(iter(mapped)).pixels, next(iter(copied)).pixels)


def test_messages_end_without_a_full_stop(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(encoded("PNG")[:-40])
    (tmp_path / "empty.png").touch()
    for path in (tmp_path, *tmp_path.iterdir(), tmp_path / "none.png"):
        with pytest.raises(HyperacuityError) as caught:
            list(formats.read(path))
        assert not str(caught.value).endswith(".")
        assert str(caught.value).startswith(str(path))


def test_codecs_are_loaded_when_they_are_needed() -> None:
    code = "import sys, hyperacuity.formats; print([name for name in ('pyvips', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_animated_avif_is_refused() -> None:
    data = encoded("AVIF")
    with pytest.raises(UnsupportedFormat, match="convert it to WebP"):
        formats.read(data[:8] + b"avis" + data[12:])


def test_closed_source_is_not_read() -> None:
    with formats.read(encoded("PNG")) as source:
        pass
    with pytest.raises(UsageError, match="closed"):
        list(source)


def test_netpbm_of_all_kinds() -> None:
    grey: NDArray[Any] = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert load(b"P2\n# a comment\n3 2\n5\n0 1 2\n3 4 5\n").pixels[..., 0].tolist() == grey.tolist()
    assert load(b"P5 3 2 5\n" + grey.tobytes()).header.levels == (0, 5)
    assert load(b"P1\n3 2\n010 1 0 1").pixels[..., 0].tolist() == [[255, 0, 255], [0, 255, 0]]
    assert load(b"P4\n3 2\n\x40\xa0").pixels[..., 0].tolist() == [[255, 0, 255], [0, 255, 0]]
    assert load(b"P3 1 1 1023 1 2 1023").pixels.tolist() == [[[1, 2, 1023]]]
    pam = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\1\2\3\4"
    assert load(pam).header.alpha
    assert load(b"Pf\n1 2\n1.0\n" + struct.pack(">2f", 2, 1)).pixels[..., 0].tolist() == [[1], [2]]
    with pytest.raises(DamagedFile, match="exceed"):
        load(b"P5 1 1 5\n\6")
    with pytest.raises(DamagedFile, match="positive"):
        load(b"P5 -1 1 255\n\6")


def test_associated_alpha_is_divided_out() -> None:
    straight = Image.from_pixels(np.dstack([noise(3, np.uint8), np.full((21, 34), 128, np.uint8)]), alpha=True).pixels
    premultiplied = straight.copy()
    premultiplied[..., :3] = (straight[..., :3].astype(float) * 128 / 255 + 0.5).astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(premultiplied).save(file, "TIFF")
    unassociated, associated = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    back = load(file.getvalue().replace(unassociated, associated)).pixels.astype(int)
    assert np.abs(back - straight).max() <= 1


@pytest.mark.parametrize("generic", ["", "jpegload_source: load error\n"])
def test_the_telling_line_of_libvips_is_shown_whatever_its_threads_add(generic: str) -> None:
    from hyperacuity.formats.photo.source import reason

    error = Exception(f"unable to write to memory\n  VipsJpeg: premature end of JPEG image\n{generic}")
    assert reason(error) == "VipsJpeg: premature end of JPEG image"
    assert reason(Exception("unable to write to memory\njpegload_source: load error\n")).endswith("load error")
    assert reason(Exception("unable to write to memory\n")) == "its pixels cannot be decoded"
