"""Pages that libvips does not read are read exactly, or refused with what they are and what to do."""

from __future__ import annotations

import io
import itertools
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo.tiff_tags import Entry, packed
from hyperacuity.image import Array, Image
from tests.formats.samples import load, noise

tifffile = pytest.importorskip("tifffile", reason="the independent writer, tifffile, is not installed")


def written(pixels: Array, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


def with_compression(pixels: Array, code: int) -> bytes:
    """A file that claims to be compressed in a way that tifffile does not write."""
    data = written(pixels, compression="zlib")
    before, after = (struct.pack("<HHIHH", 259, 3, 1, kind, 0) for kind in (8, code))
    assert before in data
    return data.replace(before, after)


@pytest.mark.parametrize(("dtype", "predictor"), [(np.float16, 3), (np.float64, 3), (np.float64, 1), (np.float16, 1)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_of_all_sizes_are_read(dtype: Any, predictor: int, order: str) -> None:
    pixels = noise(3, np.float32).astype(dtype)
    # Differences of the bytes of each row, as the note on predictors defines them; tifffile needs a package for them.
    height, width, channels = pixels.shape
    raw = pixels.astype(np.dtype(dtype).newbyteorder(order)).tobytes()
    if predictor == 3:
        size = pixels.itemsize
        planes = np.frombuffer(pixels.astype(np.dtype(dtype).newbyteorder(">")).tobytes(), np.uint8)
        rows = planes.reshape(height, width * channels, size).transpose(0, 2, 1).reshape(height, -1).copy()
        rows[:, channels:] -= rows[:, :-channels].copy()
        raw = rows.tobytes()
    tags = {256: width, 257: height, 259: 8, 262: 2, 277: 3, 278: height, 317: predictor}
    entries = {tag: Entry(4, 1, struct.pack(order + "I", value), 0) for tag, value in tags.items()}
    for tag, value in ((258, 8 * pixels.itemsize), (339, 3)):
        entries[tag] = Entry(3, 3, struct.pack(order + "3H", value, value, value), 0)
    strip = zlib.compress(raw)
    for tag, value in ((273, 8), (279, len(strip))):
        entries[tag] = Entry(4, 1, struct.pack(order + "I", value), 0)
    start = 8 + len(strip) + len(strip) % 2
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", start)
    data = head + strip + b"\0" * (len(strip) % 2) + packed(entries, start, order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        image = load(data)
    np.testing.assert_array_equal(image.pixels, pixels.astype(np.float32))


def test_rounding_to_32_bits_is_named_where_it_changes_values() -> None:
    with pytest.warns(LossWarning, match="rounded to 32 bits"):
        load(written(np.full((8, 8), 0.1)))
    load(written(np.full((8, 8), 0.5)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiles_of_separate_planes_are_read(dtype: Any, channels: int, order: str) -> None:
    pixels = noise(channels, dtype)
    stored = pixels[..., 0] if channels == 1 else np.moveaxis(pixels, -1, 0).copy()
    options: dict[str, Any] = {"photometric": "minisblack"}
    if channels > 1:
        options = {"photometric": "rgb", "planarconfig": "separate"}
    if channels == 4:
        options["extrasamples"] = ["unassalpha"]
    image = load(written(stored, tile=(16, 32), byteorder=order, compression="zlib", **options))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.header.alpha == (channels == 4)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "1", "P"])
@pytest.mark.parametrize("compression", ["zstd", "lzma"])
def test_zstd_and_lzma_are_read(mode: str, compression: str) -> None:
    values = noise(1, np.uint16 if mode == "I;16" else np.uint8)[..., 0]
    picture = PIL.Image.fromarray(values)
    picture = picture if mode == "I;16" else picture.convert(mode)
    plain, packed_file = io.BytesIO(), io.BytesIO()
    picture.save(plain, "TIFF")
    picture.save(packed_file, "TIFF", compression=compression)
    np.testing.assert_array_equal(load(packed_file.getvalue()).pixels, load(plain.getvalue()).pixels)


def test_zstd_with_16_bits_and_a_predictor_is_read() -> None:
    pixels = noise(3, np.uint16)
    differences = pixels.copy()
    differences[:, 1:] -= pixels[:, :-1]
    file = io.BytesIO()
    # Pillow compresses the bytes as an image of one byte a pixel.
    PIL.Image.frombytes("L", (34 * 6, 21), differences.tobytes()).save(file, "TIFF", compression="zstd")
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as found:
        (offset, *_), (size, *rest) = found.pages[0].dataoffsets, found.pages[0].databytecounts
        assert not rest
    strip = file.getvalue()[offset : offset + size]
    data = written(pixels, photometric="rgb", compression="zlib", predictor=True, rowsperstrip=21)
    with tifffile.TiffFile(io.BytesIO(data)) as found:
        tags = {tag.code: tag for tag in found.pages[0].tags}
        place = {code: tags[code].valueoffset for code in (259, 273, 279)}
    patched = bytearray(data) + strip
    patched[place[259] : place[259] + 2] = struct.pack("<H", 50000)
    patched[place[273] : place[273] + 4] = struct.pack("<I", len(data))
    patched[place[279] : place[279] + 4] = struct.pack("<I", size)
    np.testing.assert_array_equal(load(bytes(patched)).pixels, pixels)


@pytest.mark.parametrize(
    ("code", "name"),
    [(52546, "JPEG XL"), (33005, "JPEG 2000"), (34934, "JPEG XR"), (34661, "JBIG"), (60123, "60123")],
)
def test_compressions_that_are_not_read_are_named(code: int, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"compressed with .*{name}.*save it .* with deflate") as caught:
        load(with_compression(noise(1)[..., 0], code))
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.int8, "signed 8-bit integers"),
        (np.int16, "signed 16-bit integers"),
        (np.int32, "signed 32-bit integers"),
        (np.uint32, "32-bit integers"),
        (np.uint64, "64-bit integers"),
        (np.complex64, "complex numbers"),
    ],
)
def test_types_without_black_and_white_are_named(dtype: Any, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"its pixels are {name}, .* convert them to unsigned"):
        load(written(np.ones((9, 8), dtype)))


def test_colours_that_are_not_read_are_named() -> None:
    for photometric in (32845, 10):
        with pytest.raises(UnsupportedFormat, match="save it as grey or RGB") as caught:
            load(written(noise(3, np.float32), photometric=photometric))
        assert "damaged" not in str(caught.value)


def test_many_channels_are_named() -> None:
    with pytest.raises(UnsupportedFormat, match=r"it has 7 channels; .* save the channels as pages"):
        load(written(np.ones((9, 8, 7), np.uint8), photometric="minisblack", planarconfig="contig"))


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("deflated", [False, True])
def test_bits_between_8_and_16_keep_their_levels(bits: int, deflated: bool) -> None:
    values = noise(1, np.uint16)[..., 0] >> (16 - bits)
    digits = (values[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint16)) & 1
    rows = np.packbits(digits.reshape(21, -1).astype(np.uint8), axis=1).tobytes()
    strip = zlib.compress(rows) if deflated else rows
    tags = {256: 34, 257: 21, 258: bits, 259: 8 if deflated else 1, 262: 1, 273: 8, 277: 1, 278: 21, 279: len(strip)}
    entries = {tag: Entry(4, 1, struct.pack("<I", value), 0) for tag, value in tags.items()}
    data = b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + packed(entries, 8 + len(strip), "<")
    image = load(data)
    assert image.header.levels == (0, 2**bits - 1)
    np.testing.assert_array_equal(image.pixels[..., 0], values)


def test_lab_of_16_bits_becomes_srgb() -> None:
    lab = np.zeros((8, 8, 3), np.uint16)
    lab[..., 0] = 65535
    with pytest.warns(LossWarning, match="Lab colours"):
        image = converted(written(lab, photometric="cielab"))
    assert image.pixels.dtype == np.uint16
    assert int(image.pixels.min()) > 65000


def converted(data: bytes) -> Image:
    """The image of a file, whose losses are named as when it is written to TIFF."""
    image = load(data)
    for item in image.header.metadata.items:
        if item.carrier is None:
            warnings.warn(LossWarning(item.label), stacklevel=2)
    return image


def test_damaged_strips_are_damaged(tmp_path: Path) -> None:
    picture = io.BytesIO()
    PIL.Image.fromarray(noise()).save(picture, "TIFF", compression="zstd")
    with tifffile.TiffFile(io.BytesIO(picture.getvalue())) as found:
        offset = found.pages[0].dataoffsets[0]
    data = bytearray(picture.getvalue())
    data[offset + 4 : offset + 60] = bytes(itertools.islice(itertools.cycle(b"\xff\x13"), 56))
    with pytest.raises(DamagedFile):
        load(bytes(data))


def test_a_strip_that_is_too_short_is_damaged() -> None:
    data = written(np.ones((64, 64)), compression="zlib", rowsperstrip=64)
    with tifffile.TiffFile(io.BytesIO(data)) as found:
        tags = {tag.code: tag for tag in found.pages[0].tags}
        place = tags[257].valueoffset
    patched = bytearray(data)
    for tag in (257, 278):
        place = tags[tag].valueoffset
        patched[place : place + 4] = struct.pack("<I", 80)
    with pytest.raises(DamagedFile, match="a part of its pixels has"):
        list(formats.read(bytes(patched)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_far_pages_are_those_that_libvips_reads(dtype: Any, channels: int) -> None:
    file = io.BytesIO()
    pixels = noise(channels, dtype)
    options: dict[str, Any] = {"photometric": "minisblack" if channels == 1 else "rgb"}
    if channels == 4:
        options["extrasamples"] = ["unassalpha"]
    with tifffile.TiffWriter(file) as writer:
        for _ in range(18):
            writer.write(pixels[..., 0] if channels == 1 else pixels, metadata=None, compression="zlib", **options)
    with formats.read(file.getvalue()) as source:
        first, *_, last = source
    assert last.header.alpha == first.header.alpha
    np.testing.assert_array_equal(last.pixels, first.pixels)
