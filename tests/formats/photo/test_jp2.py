"""JPEG 2000."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hyperacuity import formats
from hyperacuity.formats import LossWarning
from tests.formats.samples import ICC, XMP, encoded, exif_block, load, save


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def uuid(number: str, content: bytes) -> bytes:
    return box(b"uuid", bytes.fromhex(number) + content)


def jp2_with(*behind: bytes, header: bytes = b"") -> bytes:
    """A file with more boxes in its header box and before its codestream."""
    data = encoded("JPEG2000")
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack(">I", data[at : at + 4])
    end = at + size
    grown = struct.pack(">I", size + len(header)) + data[at + 4 : end] + header
    return data[:at] + grown + b"".join(behind) + data[end:]


XMP_BOX = uuid("be7acfcb97a942e89c71999491e3afac", XMP)
EXIF_BOX = uuid("4a706754696666457869662d3e4a5032", exif_block())
# 11811 pixels a metre across and 5905 down.
RESOLUTION = box(b"res ", box(b"resc", struct.pack(">4H2b", 5905, 1, 11811, 1, 0, 0)))


def test_profile_packets_and_resolution_are_carried(tmp_path: Path) -> None:
    given = jp2_with(XMP_BOX, EXIF_BOX, header=box(b"colr", b"\2\0\0" + ICC) + RESOLUTION)
    save(tmp_path / "a.png", load(given))
    metadata = load(tmp_path / "a.png").header.metadata
    assert metadata.icc == ICC
    assert metadata.xmp is not None
    assert metadata.exif is not None
    assert metadata.dpi == pytest.approx((11811 * 0.0254, 5905 * 0.0254))


def test_a_resolution_for_display_is_the_second_choice() -> None:
    display = box(b"res ", box(b"resd", struct.pack(">4H2b", 3, 1, 2, 1, 3, 3)))
    assert load(jp2_with(header=display)).header.metadata.dpi == pytest.approx((2000 * 0.0254, 3000 * 0.0254))
    assert load(jp2_with(header=RESOLUTION + display)).header.metadata.dpi == pytest.approx((300, 150), rel=1e-3)
    assert load(jp2_with()).header.metadata.dpi is None


def test_other_boxes_are_named(tmp_path: Path) -> None:
    geo = uuid("b14bf8bd083d4b43a5ae8cd7d5a6ce03", b"II*\0")
    with pytest.warns(LossWarning) as caught:
        save(tmp_path / "a.png", load(jp2_with(geo, box(b"xml ", b"<a/>"), box(b"jumb", b""), box(b"abcd", b"1"))))
    (message,) = (str(each.message) for each in caught)
    for part in ("georeference (GeoJP2)", "XML", "C2PA manifest", "box 'abcd'"):
        assert part in message


def test_what_the_file_holds_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.jp2").write_bytes(jp2_with(XMP_BOX, EXIF_BOX))
    assert [item.carrier for item in formats.list_items(tmp_path / "a.jp2")] == ["xmp", "exif"]
