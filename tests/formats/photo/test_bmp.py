"""BMP."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats import LossWarning
from hyperacuity.image import Image, Metadata
from tests.formats.samples import ICC, encoded, gradient, load, noise, save, saved


def test_a_resolution_beyond_bmp_is_the_highest_that_it_can_store(tmp_path: Path) -> None:
    dpi = saved(tmp_path / "a.bmp", gradient(metadata=Metadata(dpi=(1e9, 300)))).header.metadata.dpi
    assert dpi == pytest.approx((2**31 * 0.0254, 300), rel=1e-3)


def test_headers_of_os2_are_read_and_their_truncation_is_reported() -> None:
    """Each of these once caused an internal error."""
    os2 = b"BM" + struct.pack("<IHHIIHHHH", 30, 0, 0, 26, 12, 1, 1, 1, 24) + b"\1\2\3\0"
    assert load(os2).pixels.tolist() == [[[3, 2, 1]]]
    with pytest.raises(DamagedFile, match="cut short inside its header"):
        load(os2[:20])


@pytest.mark.parametrize("channels", [1, 3])
def test_profiles_are_kept_in_version_5_of_the_header(channels: int, tmp_path: Path) -> None:
    image = Image.from_pixels(noise(channels), metadata=Metadata(icc=ICC))
    back = saved(tmp_path / "a.bmp", image)
    assert back.header.metadata.icc == ICC
    np.testing.assert_array_equal(back.pixels, image.pixels)
    with PIL.Image.open(tmp_path / "a.bmp") as opened:
        np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), np.broadcast_to(image.pixels, (21, 34, 3)))
    if exiftool := shutil.which("exiftool"):
        command = [exiftool, "-s3", "-ProfileDescription", "-BMPVersion", str(tmp_path / "a.bmp")]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert found.stdout.split("\n")[:2] == ["sRGB built-in", "Windows V5"]


def test_an_absent_resolution_stays_absent(tmp_path: Path) -> None:
    assert load(encoded("BMP")).header.metadata.items == ()
    assert saved(tmp_path / "a.bmp", gradient()).header.metadata.dpi is None
    assert (tmp_path / "a.bmp").read_bytes()[38:46] == bytes(8)


def calibrated(kind: bytes, behind: bytes = b"") -> bytes:
    """Version 5 of the header with the numbers of Adobe RGB."""
    xyz = (0.57667, 0.29734, 0.02703, 0.18556, 0.62736, 0.07069, 0.18823, 0.07529, 0.99134)
    head = struct.pack("<IiiHHIIiiII", 124, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(16) + kind
    head += struct.pack("<9i3I", *(round(value * 2**30) for value in xyz), *[round(2.2 * 65536)] * 3)
    head += struct.pack("<IIII", 4, 128, len(behind), 0)
    return b"BM" + struct.pack("<IHHI", 14 + 124 + 4, 0, 0, 138) + head + b"\1\2\3\0" + behind


def test_numbers_of_colour_become_a_profile_and_links_are_named(tmp_path: Path) -> None:
    image = load(calibrated(b"\0\0\0\0"))
    assert image.header.metadata.colour is not None
    assert saved(tmp_path / "a.png", image).header.metadata.colour == image.header.metadata.colour
    profile = saved(tmp_path / "a.bmp", image).header.metadata.icc
    assert profile is not None
    assert "gamma 2.2".encode("utf-16-be") in profile
    with pytest.warns(LossWarning, match=r"link to the ICC profile 'C:\\a\.icc'"):
        save(tmp_path / "b.bmp", load(calibrated(b"KNIL", b"C:\\a.icc\0")))


def test_bytes_behind_the_pixels_are_named(tmp_path: Path) -> None:
    with pytest.warns(LossWarning, match="5 bytes behind its end"):
        save(tmp_path / "a.bmp", load(encoded("BMP") + b"extra"))


def bitfields(bits: int, masks: list[int], words: list[int], *, length: int = 40, compression: int = 3) -> bytes:
    """One row of pixels whose channels lie at these bits."""
    inside = struct.pack(f"<{len(masks)}I", *masks)
    start = 14 + max(length, 40 + len(inside))
    rows = struct.pack(f"<{len(words)}{'H' if bits == 16 else 'I'}", *words)
    head = struct.pack("<IiiHHIIiiII", length, len(words), 1, 1, bits, compression, 0, 0, 0, 0, 0) + inside
    rows += bytes(-len(rows) % 4)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head.ljust(start - 14, b"\0") + rows


@pytest.mark.parametrize(
    ("bits", "masks", "words", "expected", "options"),
    [
        (16, [0x0F00, 0x00F0, 0x000F, 0xF000], [0x80F1, 0x0F00], [[0, 255, 17, 136], [255, 0, 0, 0]], {"length": 56}),
        (16, [0xC000, 0x3800, 0x07F0], [0x4000, 0x07F0], [[85, 0, 0], [0, 0, 255]], {}),
        (32, [0xFF, 0xFF00, 0xFF0000, 0xFF000000], [0x04030201], [[1, 2, 3, 4]], {"compression": 6}),
        (32, [0x3FF00000, 0xFFC00, 0x3FF], [0x3FF00001], [[65535, 0, 64]], {}),
        (32, [0xFF000000, 0xFF0000, 0xFF00, 0], [0x01020304], [[1, 2, 3]], {"length": 108}),
    ],
)
def test_channels_at_any_bits_are_read(
    bits: int, masks: list[int], words: list[int], expected: list[list[int]], options: dict[str, int]
) -> None:
    image = load(bitfields(bits, masks, words, **options))
    assert image.pixels.tolist() == [expected]
    assert image.header.alpha == (len(expected[0]) == 4)


def test_impossible_masks_are_damage_and_other_depths_have_a_cure() -> None:
    for masks in ([0x0F01, 0xF0, 0xE], [0, 0xF0, 0xF], [0xF0000, 0xF0, 0xF]):
        with pytest.raises(DamagedFile, match="bits"):
            load(bitfields(16, masks, [0, 0]))
    with pytest.raises(DamagedFile, match="cut short"):
        load(bitfields(16, [0xF000, 0xF00, 0xF0], [0, 0])[:-1])
    with pytest.raises(UnsupportedFormat, match=r"not read .Unsupported BMP pixel depth .2..; convert it to PNG"):
        load(bitfields(2, [], [0], compression=0))
