"""JPEG."""

from __future__ import annotations

import struct
from pathlib import Path

import PIL.Image
import pytest

from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import jpeg
from hyperacuity.image import Metadata
from tests.formats.samples import (
    gradient,
    save,
    saved,
)


def test_jpeg_is_the_same_each_time_and_not_subsampled(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", gradient())
    save(tmp_path / "b.jpg", gradient())
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
    with PIL.Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_comments_and_iptc_are_kept_or_their_loss_is_named(tmp_path: Path) -> None:
    def resource(number: int, content: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HBBI", number, 0, 0, len(content)) + content + b"\0" * (len(content) % 2)

    caption = b"\x1c\x02\x78\0\x05Hello"
    thumbnail = resource(1036, b"of the small image")
    block = b"Photoshop 3.0\0" + thumbnail + resource(0x0404, caption) + thumbnail
    segments = b"\xff\xfe" + struct.pack(">H", 8) + b"hello!"
    segments += b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    source = saved(tmp_path / "a.jpg", gradient(metadata=Metadata(native=jpeg.native(segments))))
    assert saved(tmp_path / "b.jpg", source).header.metadata.native == source.header.metadata.native
    with PIL.Image.open(tmp_path / "b.jpg") as opened:
        assert opened.info["comment"] == b"hello!"
        assert opened.info["photoshop"] == {0x0404: caption}
    with pytest.warns(LossWarning, match="PNG cannot hold the source's JPEG comments or IPTC"):
        save(tmp_path / "c.png", source)


def test_long_exif_and_xmp_do_not_fit_into_jpeg(tmp_path: Path) -> None:
    image = gradient(metadata=Metadata(xmp=b"<x>" + b"x" * 70000 + b"</x>"))
    with pytest.warns(LossWarning, match="64 KiB"):
        save(tmp_path / "a.jpg", image)
    assert saved(tmp_path / "a.png", image).header.metadata.xmp == image.header.metadata.xmp
