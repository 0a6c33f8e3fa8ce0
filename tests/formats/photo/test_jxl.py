"""JPEG XL."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import MissingDependency, UnsupportedFormat
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import jxl_header
from hyperacuity.image import Array, Image, Metadata, StatedColour
from tests.formats.samples import ICC, XMP, Animated, exif_block, gradient, load, noise, save, saved

ADOBE = StatedColour(gamma=45470, chromaticities=(31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))


def encoded_by_libjxl(pixels: Array, **options: Any) -> bytes:
    library = pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    return bytes(library.jpegxl_encode(pixels[..., 0] if pixels.shape[2] == 1 else pixels, **options))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixels_are_exact(channels: int, dtype: Any, tmp_path: Path) -> None:
    pixels = noise(channels, dtype)
    given = load(encoded_by_libjxl(pixels, lossless=True))
    np.testing.assert_array_equal(given.pixels, pixels)
    assert given.header.alpha == (channels in (2, 4))
    np.testing.assert_array_equal(saved(tmp_path / "a.jxl", given, quality=100).pixels, pixels)


def test_depth_is_kept(tmp_path: Path) -> None:
    given = load(encoded_by_libjxl(noise(3, np.uint16) >> 6, lossless=True, bitspersample=10))
    assert given.header.levels == (0, 1023)
    back = saved(tmp_path / "a.jxl", given)
    assert back.header.levels == (0, 1023)
    np.testing.assert_array_equal(back.pixels, given.pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "colour", [StatedColour(12, 13), StatedColour(9, 16), StatedColour(9, 18), StatedColour(1, 8), ADOBE]
)
def test_stated_colour_goes_with_the_values(dtype: Any, colour: StatedColour, tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    image = Image.from_pixels(noise(3, dtype), metadata=Metadata(colour=colour))
    back = saved(tmp_path / "a.jxl", image, quality=80)
    assert back.header.metadata.colour == colour
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert saved(tmp_path / "a.png", back).header.metadata.colour == colour


def test_sixteen_bits_are_not_called_linear(tmp_path: Path) -> None:
    """The encoder takes all values of 16 bits for linear ones."""
    pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    assert saved(tmp_path / "a.jxl", Image.from_pixels(noise(3, np.uint16))).header.metadata.colour == StatedColour(
        1, 13
    )


def test_lossy_files_are_close(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    back = saved(tmp_path / "a.jxl", gradient(), quality=90)
    assert 0 < np.abs(back.pixels.astype(int) - gradient().pixels).mean() < 3


def test_exif_and_xmp_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    image = gradient(metadata=Metadata(exif=exif_block(), xmp=XMP))
    metadata = saved(tmp_path / "a.jxl", image).header.metadata
    assert metadata.exif is not None
    assert metadata.xmp is not None
    assert metadata.dpi == (300, 300)
    assert saved(tmp_path / "a.jpg", load(tmp_path / "a.jxl")).header.metadata.xmp is not None
    data = (tmp_path / "a.jxl").read_bytes()
    assert data[:12] == b"\0\0\0\x0cJXL \r\n\x87\n"
    assert data[data.index(b"Exif") + 4 :][:8] == b"\0\0\0\0II*\0"


def test_a_packet_is_known_by_its_namespace(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    save(tmp_path / "a.jxl", gradient())
    rdf = b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
    boxes = [struct.pack(">I4s", 8 + len(each), b"xml ") + each for each in (rdf, rdf + b" ", b"<mine/>")]
    save(tmp_path / "b.jxl", gradient(metadata=Metadata(exif=exif_block())))
    loaded = load((tmp_path / "b.jxl").read_bytes() + b"".join(boxes))
    assert loaded.header.metadata.xmp == rdf
    with pytest.warns(LossWarning, match="not carried over to the result: second XMP, box 'xml'"):
        saved(tmp_path / "c.jxl", loaded)


def test_what_is_lost_is_named(tmp_path: Path) -> None:
    library = pytest.importorskip("imagecodecs", reason="needs imagecodecs, the extra jxl")
    with pytest.warns(LossWarning, match="JPEG XL cannot hold the source's ICC"):
        save(tmp_path / "a.jxl", gradient(metadata=Metadata(icc=ICC)))
    save(tmp_path / "b.jxl", gradient(metadata=Metadata(exif=exif_block())))
    packed = b"xml " + bytes(library.brotli_encode(XMP))
    more = b"".join(
        struct.pack(">I4s", len(content) + 8, kind) + content
        for kind, content in ((b"jumb", b"....c2pa"), (b"jhgm", b"gain"), (b"abcd", b"1"), (b"brob", packed))
    )
    with pytest.warns(LossWarning) as caught:
        copy = saved(tmp_path / "c.jxl", load((tmp_path / "b.jxl").read_bytes() + more))
    (message,) = (str(each.message) for each in caught)
    assert "not carried over to the result: C2PA manifest, gain map (ISO 21496-1), box 'abcd'" in message
    assert copy.header.metadata.xmp is not None


def test_animations_are_refused_with_a_cure(tmp_path: Path) -> None:
    data = encoded_by_libjxl(np.stack([noise(3), noise(3, seed=1)]), lossless=True)
    with pytest.raises(UnsupportedFormat, match="animated JPEG XL; convert it to WebP"):
        formats.read(data)
    with pytest.raises(Exception, match="does not hold 3 frames"):
        formats.write(tmp_path / "a.jxl", Animated(3, 0))  # type: ignore[arg-type]


def test_without_the_library_the_message_says_what_it_is_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    for head in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"):
        with pytest.raises(MissingDependency, match=r"is a JPEG XL image, .* pip install 'hyperacuity\[jxl\]'"):
            formats.read(head + bytes(99))
    with pytest.raises(MissingDependency, match=r"pip install 'hyperacuity\[jxl\]'"):
        formats.write(tmp_path / "a.jxl", None)


def test_headers_of_odd_colours_survive_rewriting() -> None:
    data = encoded_by_libjxl(noise(1), lossless=True, usecontainer=False)
    for colour in (StatedColour(11, 17), StatedColour(5, 1), StatedColour(4, 4)):
        changed = jxl_header.with_colour(data, colour)
        header = jxl_header.parse_header(changed)
        assert (header.width, header.height, header.grey) == (34, 21, True)
        np.testing.assert_array_equal(load(changed).pixels, noise(1))
