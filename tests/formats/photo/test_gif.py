"""GIF."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import formats
from hyperacuity.formats import LossWarning
from hyperacuity.image import Image
from tests.formats.samples import ICC, XMP, Animated, encoded, load, noise, save


def test_frames_of_gif_have_few_colours_exactly(tmp_path: Path) -> None:
    given_frames = [
        Image.from_pixels(np.kron(noise(3, np.uint8, 3, 5, seed), np.ones((4, 4, 1), np.uint8)), duration=0.1)
        for seed in (1, 2)
    ]
    save(tmp_path / "a.gif", *given_frames, like=Animated(2, 0))
    with formats.read(tmp_path / "a.gif") as source:
        for one, other in zip(source, given_frames, strict=True):
            assert np.abs(one.pixels[..., :3].astype(int) - other.pixels).max() <= 8


def sub_blocks(data: bytes) -> bytes:
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


MAGIC = b"\1" + bytes(range(255, -1, -1)) + b"\0"
PROFILE = b"!\xff\x0bICCRGBG1012" + sub_blocks(ICC)
PACKET = b"!\xff\x0bXMP DataXMP" + XMP + MAGIC
COMMENT = b"!\xfe" + sub_blocks(b"made by hand" * 30)
OTHER = b"!\xff\x0bMGK8BIM0000" + sub_blocks(b"8BIM")
PLAIN_TEXT = b"!\1\x0c" + bytes(12) + sub_blocks(b"hello")


def gif_with(*extra: bytes, animated: bool = False, aspect: int = 0, behind: bytes = b"") -> bytes:
    """A GIF file with more blocks before its first one."""
    if animated:
        data = encoded("GIF")
    else:
        file = io.BytesIO()
        PIL.Image.fromarray(noise(3)).quantize(8).save(file, "GIF")
        data = file.getvalue()
    at = 13 + (3 << (data[10] % 8 + 1))
    return b"GIF89a" + data[6:12] + bytes([aspect]) + data[13:at] + b"".join(extra) + data[at:] + behind


def copied(data: bytes, path: Path) -> bytes:
    with formats.read(data) as source, formats.write(path, source) as sink:
        for image in source:
            sink.write(image.strips())
    return path.read_bytes()


@pytest.mark.parametrize("animated", [False, True])
def test_profile_packet_comments_and_applications_are_kept(animated: bool, tmp_path: Path) -> None:
    given = gif_with(PROFILE, PACKET, COMMENT, OTHER, animated=animated)
    copy = copied(given, tmp_path / "a.gif")
    for block in (
        PROFILE,
        PACKET.replace(b'PixelXDimension="1"', b'PixelXDimension="%d"' % load_width(copy)),
        COMMENT,
        OTHER,
    ):
        assert block in copy
    with PIL.Image.open(tmp_path / "a.gif") as opened:
        assert getattr(opened, "n_frames", 1) == (2 if animated else 1)
        assert opened.info["comment"] == b"made by hand" * 30
    if exiftool := shutil.which("exiftool"):
        command = [exiftool, "-s3", "-Comment", "-ProfileDescription", "-XMP:all", str(tmp_path / "a.gif")]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
        assert found[:2] == ["made by hand" * 30, "sRGB built-in"]
        assert len(found) > 3


def load_width(data: bytes) -> int:
    return int.from_bytes(data[6:8], "little")


def test_loops_are_written_before_the_rest(tmp_path: Path) -> None:
    loops = b"!\xff\x0bNETSCAPE2.0" + sub_blocks(b"\1\2\0")
    copied(gif_with(COMMENT, loops, animated=True), tmp_path / "a.gif")
    with PIL.Image.open(tmp_path / "a.gif") as opened:
        assert opened.info["loop"] == 2


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_profile_and_packet_go_to_other_formats_and_the_rest_is_named(suffix: str, tmp_path: Path) -> None:
    given = gif_with(PROFILE, PACKET, COMMENT, OTHER, animated=True)
    with pytest.warns(LossWarning, match="cannot hold the source's comment, application block 'MGK8BIM0000'$"):
        copied(given, tmp_path / f"a{suffix}")
    with formats.read(tmp_path / f"a{suffix}") as source:
        metadata = next(iter(source)).header.metadata
    assert metadata.icc == ICC
    assert metadata.xmp is not None


def test_what_a_copy_does_not_show_is_named(tmp_path: Path) -> None:
    manifest = b"!\xff\x0bC2PA_GIF\1\0\0" + sub_blocks(b"jumb")
    with pytest.warns(LossWarning) as caught:
        copied(gif_with(PLAIN_TEXT, manifest, behind=b"trailer"), tmp_path / "a.gif")
    (message,) = (str(each.message) for each in caught)
    for part in ("plain text laid over the image", "C2PA manifest", "7 bytes behind its end"):
        assert part in message


def test_a_second_block_of_the_same_kind_is_named(tmp_path: Path) -> None:
    loops = [b"!\xff\x0bNETSCAPE2.0" + sub_blocks(bytes([1, count, 0])) for count in (2, 3)]
    other = b"!\xff\x0bXMP DataXMP" + XMP + b" " + MAGIC
    for label, blocks in (("second XMP", (PACKET, other)), ("second number of repetitions", loops)):
        with pytest.warns(LossWarning, match=f"not carried over.*: {label}$"):
            copied(gif_with(*blocks, animated=True), tmp_path / "a.gif")


def test_a_packet_in_sub_blocks_is_read() -> None:
    assert load(gif_with(b"!\xff\x0bXMP DataXMP" + sub_blocks(XMP))).header.metadata.xmp is not None


def test_the_shape_of_pixels_is_kept(tmp_path: Path) -> None:
    copy = copied(gif_with(aspect=23), tmp_path / "a.gif")
    assert copy[12] == 23
    assert copied(gif_with(), tmp_path / "b.gif")[12] == 0
    png = copied(gif_with(aspect=113), tmp_path / "a.png")
    at = png.index(b"pHYs") + 4
    assert png[at : at + 9] == bytes([0, 0, 0, 64, 0, 0, 0, 128, 0])
