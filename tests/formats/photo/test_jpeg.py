"""JPEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity.formats import LossWarning
from hyperacuity.image import Metadata
from tests.formats.jpeg_files import jpeg, resource, segment, with_segments
from tests.formats.samples import gradient, load, save, saved


def test_jpeg_is_the_same_each_time_and_not_subsampled(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", gradient())
    save(tmp_path / "b.jpg", gradient())
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
    with PIL.Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_comments_and_iptc_are_kept_or_their_loss_is_named(tmp_path: Path) -> None:
    caption = b"\x1c\x02\x78\0\x05Hello"
    resources = resource(1036, b"of the small image") + resource(0x0404, caption) + resource(0x040A, b"\1")
    (tmp_path / "a.jpg").write_bytes(
        with_segments((0xFE, b"hello! \xe4"), (0xED, b"Photoshop 3.0\0" + resources + resource(1036, b"again")))
    )
    source = load(tmp_path / "a.jpg")
    assert saved(tmp_path / "b.jpg", source).header.metadata.native == source.header.metadata.native
    with PIL.Image.open(tmp_path / "b.jpg") as opened:
        assert opened.info["comment"] == b"hello! \xe4"
        assert opened.info["photoshop"] == {0x0404: caption, 0x040A: b"\1"}
    with pytest.warns(LossWarning, match="BMP cannot hold the source's IPTC, Photoshop.s resources, JPEG comment"):
        save(tmp_path / "c.bmp", source)


def test_long_exif_and_xmp_do_not_fit_into_jpeg(tmp_path: Path) -> None:
    image = gradient(metadata=Metadata(xmp=b"<x>" + b"x" * 70000 + b"</x>"))
    with pytest.warns(LossWarning, match="64 KiB"):
        save(tmp_path / "a.jpg", image)
    assert saved(tmp_path / "a.png", image).header.metadata.xmp == image.header.metadata.xmp


@pytest.mark.parametrize("progressive", [False, True])
def test_a_height_behind_the_first_scan_is_read(progressive: bool, tmp_path: Path) -> None:
    whole = jpeg(progressive=progressive)
    data = bytearray(whole)
    frame = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    height = bytes(data[frame + 5 : frame + 7])
    data[frame + 5 : frame + 7] = b"\0\0"
    scan = data.index(b"\xff\xda")
    end = next(at for at in range(scan + 2, len(data)) if data[at] == 0xFF and data[at + 1])
    (tmp_path / "a.jpg").write_bytes(data[:end] + segment(0xDC, height) + data[end:])
    np.testing.assert_array_equal(load(tmp_path / "a.jpg").pixels, load(whole).pixels)
