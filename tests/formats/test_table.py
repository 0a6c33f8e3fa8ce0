"""A new format is one module and one line of the table."""

from __future__ import annotations

import struct
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hyperacuity
from hyperacuity import formats
from hyperacuity.errors import UnsupportedFormat, UsageError
from hyperacuity.formats import Capacity, LossWarning, Sink, Source, table
from hyperacuity.formats.content import HEAD, Bytes, Content
from hyperacuity.formats.photo import avif, bmp, gif, heif, jp2, jpeg, jxl, netpbm, png, tiff, webp
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, open_source
from hyperacuity.formats.protocol import FormatModule
from hyperacuity.image import Header, Image, Item, Metadata, Strips
from tests.formats.samples import Animated, gradient, load, noise, save

# Beyond the first bytes of a file, which are always read.
MARK, AT = b"TOY!", HEAD + 1000


# The first bytes of files, by their module in `photo`.
HEADS = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0",
    "webp with a newline": b"RIFF\n\0\n\0WEBPVP8 ",
    "tiff": b"II*\0\x08\0\0\0",
    "tiff of the other byte order": b"MM\0*\0\0\0\x08",
    "tiff above 4 GB": b"MM\0+\0\x08\0\0",
    "bmp": b"BM\n\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "a longer header, not a BMP": b"BM\n\0\0\0\0\0\0\0\x36\0\0\0\x28\1\0\0",
    "gif": b"GIF89a",
    "avif": b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf",
    "heif": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
    "heif before data like a brand": b"\0\0\0\x18ftypheic\0\0\0\0mif1heicavif",
    "mp4, not an image": b"\0\0\0\x18ftypisom\0\0\0\0isommp41",
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "jp2 without boxes": b"\xff\x4f\xff\x51\0",
    "jxl": b"\0\0\0\x0cJXL \r\n\x87\n",
    "jxl bare": b"\xff\x0a\xfa\x1f",
    "netpbm": b"P6 3 2 255\n",
    "netpbm with a comment": b"P5#made by hand\n",
    "text, not an image": b"P6alm",
}


def toy(suffix: str = ".toy") -> types.SimpleNamespace:
    """A format of grey images, whose mark lies far inside the file."""
    holds = Capacity(name="Toy", channels=(1,), side=100, coloured=".png")

    def accepts(content: Content) -> bool:
        return content.part(AT, len(MARK)) == MARK

    def contents(raw: Bytes) -> Contents:
        height, width = struct.unpack("<HH", raw[:4])

        def decode() -> Iterator[Image]:
            pixels = np.frombuffer(raw, np.uint8, height * width, AT + len(MARK))
            yield Image.from_pixels(pixels.reshape(height, width))

        return Contents(1, None, True, decode)

    def encode(job: EncoderInput) -> None:
        job.out.write(struct.pack("<HH", job.header.height, job.header.width).ljust(AT, b"\0") + MARK)
        for band in job.pages[0].bands():
            job.out.write(np.ascontiguousarray(band).data)

    def read(content: Content) -> Source:
        return open_source(content, suffix, contents)

    def inventory(content: Content) -> tuple[Item, ...]:
        return ()

    def write(path: Path, like: Source | None, *, quality: int | None = None) -> Sink:
        return PhotoSink(path, like, quality, holds, encode)

    return types.SimpleNamespace(
        SUFFIXES=(suffix,),
        ONLY_READ=(".toi",),
        READS=("Toy",),
        HOLDS=holds,
        accepts=accepts,
        read=read,
        inventory=inventory,
        write=write,
    )


@pytest.fixture
def with_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FORMATS", (*table.FORMATS, toy()))


def test_without_its_line_a_format_is_unknown(tmp_path: Path) -> None:
    assert ".toy" not in formats.suffixes()
    with pytest.raises(UnsupportedFormat, match=r"ends in '\.toy'"):
        formats.write(tmp_path / "a.toy", None)


@pytest.mark.usefixtures("with_toy")
def test_a_new_format_is_written_read_and_recognised_by_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "a.toy"
    image = Image.from_pixels(noise(1))
    save(path, image)
    np.testing.assert_array_equal(load(path).pixels, image.pixels)
    np.testing.assert_array_equal(load(path.read_bytes()).pixels, image.pixels)
    with formats.read(path) as source:
        assert source.suffix == ".toy"
    assert ".toy" in formats.suffixes()
    assert formats.knows(Path("A.TOY"))
    assert formats.readable(Path("a.toi"))
    with pytest.raises(UnsupportedFormat, match=r"what is read: .*, Toy; videos: "):
        formats.read(b"nothing")


@pytest.mark.usefixtures("with_toy")
def test_a_new_format_is_upscaled(tmp_path: Path) -> None:
    save(tmp_path / "a.toy", Image.from_pixels(noise(1)))
    output = hyperacuity.upscale(tmp_path / "a.toy", 2, model="bicubic")
    assert output == tmp_path / "a-x2.toy"
    expected = hyperacuity.upscale(noise(1), 2, model="bicubic")
    np.testing.assert_array_equal(load(output).pixels, expected)


@pytest.mark.usefixtures("with_toy")
def test_losses_in_a_new_format_follow_from_its_capacity(tmp_path: Path) -> None:
    pixels = noise(2, np.uint16)
    image = Image.from_pixels(pixels, alpha=True, metadata=Metadata(xmp=b"<x/>"), duration=1.0)
    with pytest.warns(LossWarning) as caught:
        save(tmp_path / "a.toy", image)
    messages = " | ".join(str(warning.message) for warning in caught)
    for words in ("Toy holds 8 bits", "the source's XMP", "Toy holds no durations", "Toy has no transparency"):
        assert words in messages
    with pytest.raises(UsageError, match=r"Toy holds no colours; write to \.png instead"):
        save(tmp_path / "b.toy", gradient())
    header = Header(1, 101, 1, np.dtype(np.uint8), (0, 255))
    with (
        pytest.raises(UsageError, match=r"more than Toy holds \(100 a side\); write to \.png, \.webp or \.tif instead"),
        formats.write(tmp_path / "b.toy", None) as sink,
    ):
        sink.write(Strips(header, []))


def test_a_format_that_holds_everything_is_suggested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    universal = toy(".uni")
    everything = {"icc": 1 << 30, "exif": 1 << 30, "xmp": 1 << 30}
    universal.HOLDS = Capacity(name="Universal", pages=True, animated=True, metadata=everything)
    monkeypatch.setattr(table, "FORMATS", (*table.FORMATS, universal))
    with pytest.raises(UsageError, match=r"JPEG holds one page, not 2; write to \.tif or \.uni instead"):
        formats.write(tmp_path / "a.jpg", Animated(2, None))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"write to \.png, \.webp or \.uni instead"):
        formats.write(tmp_path / "a.jpg", Animated(2, 0))  # type: ignore[arg-type]


def test_every_line_names_a_module_that_reads_and_writes() -> None:
    # mypy compares these modules with the interface, which it cannot do with names in the table.
    modules: list[FormatModule] = [avif, bmp, gif, heif, jp2, jpeg, jxl, netpbm, png, tiff, webp]
    listed = [each for each in table.FORMATS if isinstance(each, table.ListedFormat)]
    assert len(listed) == len(table.FORMATS)
    assert {id(each.loaded) for each in listed} == {id(module) for module in modules}


@pytest.mark.parametrize(("name", "head"), list(HEADS.items()))
def test_signatures_are_exclusive(name: str, head: bytes) -> None:
    found = [each.module for each in table.FORMATS if isinstance(each, table.ListedFormat) and each.signature(head)]
    assert found == ([name.split(" ", maxsplit=1)[0]] if "not" not in name else [])


def test_every_ending_belongs_to_one_format() -> None:
    endings = [suffix for each in table.FORMATS for suffix in (*each.SUFFIXES, *each.ONLY_READ)]
    assert len(endings) == len(set(endings))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in endings)
