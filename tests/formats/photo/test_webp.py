"""WebP."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import PIL.Image

from hyperacuity import formats
from hyperacuity.image import Metadata
from tests.formats.jpeg_files import packet
from tests.formats.photo.test_xmp import GPANO
from tests.formats.samples import ICC, exif_block, gradient, load, save
from tests.formats.test_inventory import enlarged


def test_webp_is_lossless_unless_its_source_was_lossy(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", gradient())
    save(tmp_path / "a.png", gradient())
    for name, lossless in (("a.jpg", False), ("a.png", True), ("a.webp", True)):
        with formats.read(tmp_path / name) as source:
            (image,) = source
            save(tmp_path / "b.webp", image, like=source)
        assert np.array_equal(load(tmp_path / "b.webp").pixels, image.pixels) == lossless
        (tmp_path / "b.webp").replace(tmp_path / "a.webp")
        save(tmp_path / "a.webp", gradient())


def test_a_second_packet_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.webp", gradient(metadata=Metadata(xmp=packet("first=''"), exif=exif_block())))
    data = (tmp_path / "a.webp").read_bytes()
    for kind, label in ((b"XMP ", "second XMP"), (b"EXIF", "second EXIF")):
        twice = data + kind + struct.pack("<I", 6) + b"second"
        (tmp_path / "b.webp").write_bytes(twice[:4] + struct.pack("<I", len(twice) - 8) + twice[8:])
        assert [label in said for said in enlarged(tmp_path / "b.webp", tmp_path / "c.webp")] == [True]
    assert load(tmp_path / "c.webp").header.metadata.xmp == packet("first=''")


def test_the_background_of_an_animation_is_kept_or_named(tmp_path: Path) -> None:
    images = [PIL.Image.fromarray(np.roll(gradient().pixels, each, 1)) for each in (0, 9)]
    images[0].save(tmp_path / "a.webp", save_all=True, append_images=images[1:], background=(10, 20, 30, 40))
    assert enlarged(tmp_path / "a.webp", tmp_path / "b.webp") == []
    for name in "ab":
        data = (tmp_path / f"{name}.webp").read_bytes()
        assert data[data.index(b"ANIM") + 8 :][:4] == bytes([30, 20, 10, 40])
    (said,) = enlarged(tmp_path / "a.webp", tmp_path / "c.png")
    assert "background colour" in said


def test_every_chunk_is_kept_or_named(tmp_path: Path) -> None:
    given = Metadata(icc=ICC, exif=exif_block(), xmp=packet('P:FullPanoWidthPixels="64"', P=GPANO))
    save(tmp_path / "a.webp", gradient(metadata=given))
    data = bytearray((tmp_path / "a.webp").read_bytes())
    data += b"C2PA" + struct.pack("<I", 4) + b"jumb" + b"Abcd" + struct.pack("<I", 3) + b"xyz\0"
    data[4:8] = struct.pack("<I", len(data) - 8)
    (tmp_path / "a.webp").write_bytes(data + b"behind")
    assert [item.key for item in formats.list_items(tmp_path / "a.webp")][:3] == [
        "chunk ICCP",
        "chunk EXIF",
        "chunk XMP",
    ]
    (said,) = enlarged(tmp_path / "a.webp", tmp_path / "b.webp")
    named = "Content Credentials (C2PA), chunk 'Abcd', 6 unknown bytes behind the image"
    assert said.endswith(f"not carried over to the result: {named}")
    found = load(tmp_path / "b.webp").header.metadata
    assert (found.icc, [item.carrier for item in found.items]) == (ICC, ["icc", "exif", "xmp"])
    assert found.xmp is not None
    assert b'FullPanoWidthPixels="128"' in found.xmp
    (said,) = enlarged(tmp_path / "a.webp", tmp_path / "c.bmp")
    assert "BMP cannot hold the source's EXIF, XMP; not carried over either: Content Cred" in said
