"""XMP: values found and replaced in any form, measures turned and scaled, extensions joined and divided."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity.errors import DamagedFile
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo import xmp_container, xmp_extended, xmp_measures
from hyperacuity.formats.photo.geometry import Turn
from hyperacuity.formats.photo.upright import upright_image
from hyperacuity.formats.photo.xmp import Packet
from hyperacuity.image import Image, Metadata
from tests.formats.jpeg_files import EXTENSION, RDF, XMP, extension, packet, with_segments, with_xmp
from tests.formats.samples import gradient, load, saved
from tests.formats.test_inventory import enlarged

EXIF = "http://ns.adobe.com/exif/1.0/"
GPANO = "http://ns.google.com/photos/1.0/panorama/"
REGIONS: dict[str, str] = {
    "mwg_rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
}


def regions(width: int, height: int) -> bytes:
    """One face, a fifth across and four tenths down, in a frame of this size."""
    return packet(
        f'<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" '
        'stDim:unit="pixel"/><mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description mwg-rs:Name="Anna">'
        '<mwg-rs:Area stArea:x="0.2" stArea:y="0.4" stArea:w="0.1" stArea:h="0.3" stArea:unit="normalized"/>'
        "</rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>",
        **REGIONS,
    )


def resized(xmp: bytes, width: int, height: int, scale: float = 2) -> bytes:
    edited = Packet(xmp)
    xmp_measures.resize(edited, width, height, (scale, scale))
    return edited.result()


def texts(xmp: bytes, prefix: str, *names: str) -> list[str]:
    """The texts of values, in the order of their names."""
    found = Packet(xmp)
    return [value.text for name in names for value in found.values(prefix, name)]


@pytest.mark.parametrize(
    "form",
    [
        packet('e:PixelXDimension="7"', e=EXIF),
        packet("e:PixelXDimension='7'", e=EXIF),
        packet('e:PixelXDimension\n = "7"', e=EXIF),
        packet("<e:PixelXDimension> 7 </e:PixelXDimension>", e=EXIF),
        packet(f'<PixelXDimension xmlns="{EXIF}">7</PixelXDimension>'),
        packet('exif:PixelXDimension="7"'),  # a prefix that is not declared
        b"\xef\xbb\xbf<?xpacket begin='\xef\xbb\xbf'?>"
        + packet('e:PixelXDimension="7"', e=EXIF)
        + b"  <?xpacket end='w'?>",
        packet('e:PixelXDimension="7"', e=EXIF) + b"\0\0",
    ],
)
def test_values_are_found_in_every_form_and_nothing_else_changes(form: bytes) -> None:
    edited = resized(form, 64, 48)
    assert texts(edited, "exif", "PixelXDimension") == ["64"]
    assert edited.replace(b"64", b"7") in (form, form.replace(b" 7 ", b"7"))


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_become_utf_8(encoding: str, mark: bool) -> None:
    text = packet('e:PixelXDimension="7" e:ImageTitle="Größe"', e=EXIF).decode()
    wide = ("\ufeff" * mark + text).encode(encoding)
    # Some programs fill the segment with zeros, and readers strip them, with the last byte of the packet.
    for form in (wide, wide + bytes(8), wide.rstrip(b"\0")):
        assert resized(form, 64, 48).decode() == text.replace('"7"', '"64"')
        image = load(with_xmp(form))
        assert image.header.metadata.xmp == text.encode()


def test_names_in_text_and_in_other_namespaces_are_left_alone() -> None:
    form = packet(
        '<d:title>exif:PixelXDimension="7" &lt;exif:PixelXDimension>7</d:title><!-- exif:PixelXDimension="7" -->'
        "<o:PixelXDimension>7</o:PixelXDimension><d:note><![CDATA[<exif:PixelXDimension>7</exif:PixelXDimension>]]></d:note>",
        d="http://purl.org/dc/elements/1.1/",
        o="urn:other",
    )
    assert resized(form, 64, 48) == form


def test_entities_are_refused_and_the_packet_is_kept_with_a_warning() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    with pytest.raises(DamagedFile, match="document type"):
        Packet(bomb)
    for broken in (bomb, b"<x><y></x>", b"no XML"):
        with pytest.warns(LossWarning, match="XMP packet is damaged and is kept as it is"):
            image = upright_image(np.zeros((2, 2, 3), np.uint8), False, Metadata(xmp=broken))
        assert image.header.metadata.xmp == broken


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_turn_with_the_image(orientation: int) -> None:
    # One pixel marks the place of the region; it must be there in the upright image too.
    pixels = np.zeros((10, 20, 1), np.uint8)
    pixels[4, 4] = 255  # 0.2 to 0.25 across, 0.4 to 0.5 down
    tag = f"<tiff:Orientation>{orientation}</tiff:Orientation>"
    xmp = regions(20, 10).replace(b"<mwg-rs:Regions", tag.encode() + b"<mwg-rs:Regions")
    xmp = xmp.replace(b'x="0.2"', b'x="0.225"').replace(b'y="0.4"', b'y="0.45"')
    image = upright_image(pixels, False, Metadata(xmp=xmp))
    found = image.header.metadata.xmp
    assert found is not None
    height, width, _ = image.pixels.shape
    x, y, w, h = (float(text) for text in texts(found, "stArea", "x", "y", "w", "h"))
    assert image.pixels[int(y * height), int(x * width)] == 255
    assert (w, h) == ((0.1, 0.3) if orientation < 5 else (0.3, 0.1))
    assert texts(found, "stDim", "w", "h") == [str(width), str(height)]
    assert texts(found, "tiff", "Orientation") == ["1"]
    assert texts(resized(found, 3 * width, 3 * height, 3), "stDim", "w", "h") == [str(3 * width), str(3 * height)]


def test_regions_that_refer_to_the_upright_image_are_not_turned() -> None:
    edited = Packet(regions(10, 20))
    xmp_measures.turn(edited, Turn(6, 20, 10))
    assert edited.result() == regions(10, 20)


def test_rectangles_of_microsoft_and_iptc_turn_too() -> None:
    xmp = packet(
        '<R:Rectangle>0.1, 0.2, 0.3, 0.4</R:Rectangle><I:RegionBoundary I:rbUnit="pixel" I:rbX="10" I:rbY="20" '
        'I:rbW="30" I:rbH="40"/>',
        R="http://ns.microsoft.com/photo/1.2/t/Region#",
        I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    )
    edited = Packet(xmp)
    xmp_measures.turn(edited, Turn(6, 200, 100))
    found = resized(edited.result(), 200, 400)
    assert texts(found, "MPReg", "Rectangle") == ["0.4, 0.1, 0.4, 0.3"]
    assert texts(found, "Iptc4xmpExt", "rbX", "rbY", "rbW", "rbH") == ["80", "20", "80", "60"]


@pytest.mark.parametrize(
    ("unit", "expected"), [("pixel", ["10", "20", "30", "60"]), ("relative", ["5", "10", "15", "30"])]
)
def test_the_vertices_of_a_region_have_its_unit(unit: str, expected: list[str]) -> None:
    xmp = packet(
        f'<I:RegionBoundary rdf:parseType="Resource"><I:rbShape>polygon</I:rbShape><I:rbUnit>{unit}</I:rbUnit>'
        '<I:rbVertices><rdf:Seq><rdf:li I:rbX="5" I:rbY="15"/><rdf:li rdf:parseType="Resource"><I:rbX>10</I:rbX>'
        "<I:rbY>30</I:rbY></rdf:li></rdf:Seq></I:rbVertices></I:RegionBoundary>",
        I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    )
    assert texts(resized(xmp, 1, 1), "Iptc4xmpExt", "rbX", "rbY") == expected


def test_sizes_in_inches_are_not_scaled() -> None:
    form = packet(
        '<t:MaxPageSize D:w="11" D:h="8.5" D:unit="Inches"/>', D=REGIONS["stDim"], t="http://ns.adobe.com/xap/1.0/t/pg/"
    )
    edited = Packet(form)
    xmp_measures.turn(edited, Turn(6, 20, 10))
    assert resized(edited.result(), 20, 40) == form


def test_panoramas_are_scaled() -> None:
    names = ["CroppedAreaImageWidthPixels", "CroppedAreaImageHeightPixels", "FullPanoWidthPixels"]
    names += ["FullPanoHeightPixels", "CroppedAreaLeftPixels", "CroppedAreaTopPixels"]
    values = zip(names, (200, 80, 200, 100, 0, 10), strict=True)
    xmp = packet(
        " ".join(f'P:{name}="{value}"' for name, value in values) + ' P:InitialViewHeadingDegrees="180"', P=GPANO
    )
    found = resized(xmp, 300, 120, 1.5)
    assert texts(found, "GPano", *names) == ["300", "120", "300", "150", "0", "15"]
    assert texts(found, "GPano", "InitialViewHeadingDegrees") == ["180"]


def test_subjects_and_focal_plane_in_xmp_are_turned_and_scaled() -> None:
    xmp = packet(
        "<e:SubjectArea><rdf:Seq><rdf:li>60</rdf:li><rdf:li>30</rdf:li><rdf:li>20</rdf:li><rdf:li>10</rdf:li></rdf:Seq>"
        "</e:SubjectArea><e:FocalPlaneXResolution>6834/10</e:FocalPlaneXResolution>"
        "<e:FocalPlaneYResolution>50/1</e:FocalPlaneYResolution>",
        e=EXIF,
    )
    edited = Packet(xmp)
    xmp_measures.turn(edited, Turn(6, 120, 90))
    found = Packet(resized(edited.result(), 180, 240))
    area = [element.text for element in found.elements if element.name == (RDF, "li")]
    assert area == ["120", "120", "20", "40"]
    assert texts(found.data, "exif", "FocalPlaneXResolution", "FocalPlaneYResolution") == ["100/1", "13668/10"]


@pytest.mark.parametrize("value", ["", "none", "1e999", "nan", "12/0", "-3", "1,2,3", "0.5"])
def test_nonsense_numbers_do_no_harm(value: str) -> None:
    names = ("e:FocalPlaneXResolution", "P:FullPanoWidthPixels", "a:x", "a:y", "R:Rectangle", "d:w", "d:h")
    xmp = packet(
        " ".join(f'{name}="{value}"' for name in names),
        e=EXIF,
        P=GPANO,
        a=REGIONS["stArea"],
        R="http://ns.microsoft.com/photo/1.2/t/Region#",
        d=REGIONS["stDim"],
    )
    edited = Packet(xmp)
    xmp_measures.turn(edited, Turn(6, 120, 90))
    Packet(resized(edited.result(), 180, 240))


def test_only_the_parts_that_are_gone_leave_the_directory() -> None:
    from tests.formats.jpeg_files import directory

    xmp = packet(
        directory(("Primary", "image/jpeg", 0), ("GainMap", "image/jpeg", 9), ("Depth", "image/jpeg", 8)),
        Container="http://ns.google.com/photos/1.0/container/",
        Item="http://ns.google.com/photos/1.0/container/item/",
    )
    edited = Packet(xmp)
    xmp_container.remove_missing(edited, gain_map=True, video=False)
    assert texts(edited.result(), "Item", "Semantic") == ["Primary", "GainMap"]
    edited = Packet(xmp)
    xmp_container.remove_missing(edited, gain_map=False, video=False)
    assert b"Container:Directory" not in edited.result()


DC = "http://purl.org/dc/elements/1.1/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"


def extended(tmp_path: Path, order: list[int], drop: int | None = None) -> tuple[bytes | None, str]:
    """The packet that is read from main part and portions in some order, and the warnings of a copy."""
    hidden = packet("<p:History>every edit</p:History><p:City>Berlin</p:City>", p=PHOTOSHOP)
    digest, portions = extension(hidden, -(-len(hidden) // 4))
    main = packet(f'note:HasExtendedXMP="{digest}" dc:source="main"', note="http://ns.adobe.com/xmp/note/", dc=DC)
    segments = [(0xE1, XMP + main), *portions]
    (tmp_path / "a.jpg").write_bytes(with_segments(*(segments[n] for n in order if n != drop)))
    said = " ".join(enlarged(tmp_path / "a.jpg", tmp_path / "b.jpg"))
    return load(tmp_path / "b.jpg").header.metadata.xmp, said


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_an_extension_is_joined_in_any_order(order: list[int], tmp_path: Path) -> None:
    found, said = extended(tmp_path, order)
    assert found is not None
    assert said == ""
    names = {element.name for element in Packet(found).elements}
    assert {(PHOTOSHOP, "History"), (PHOTOSHOP, "City")} <= names
    assert b"HasExtendedXMP" not in found
    assert b'dc:source="main"' in found


def test_an_incomplete_extension_is_named(tmp_path: Path) -> None:
    found, said = extended(tmp_path, [0, 1, 2, 3, 4], drop=2)
    assert found is not None
    assert "Extended XMP, of which a part is missing" in said
    assert b"HasExtendedXMP" not in found
    (tmp_path / "c.jpg").write_bytes(with_segments((0xE1, EXTENSION + b"0" * 32 + struct.pack(">II", 3, 0) + b"<x>")))
    said = " ".join(enlarged(tmp_path / "c.jpg", tmp_path / "d.jpg"))
    assert "Extended XMP that no packet refers to" in said


@pytest.mark.parametrize("attribute", [False, True])
def test_a_long_packet_is_written_with_an_extension(attribute: bool, tmp_path: Path) -> None:
    long = "x" * 200_000
    body = (
        f'p:City="Berlin" p:History="{long}"' if attribute else f"<p:City>Berlin</p:City><p:History>{long}</p:History>"
    )
    xmp = packet(body, p=PHOTOSHOP)
    back = saved(tmp_path / "a.jpg", gradient(metadata=Metadata(xmp=xmp))).header.metadata.xmp
    assert back is not None
    assert long.encode() in back
    data = (tmp_path / "a.jpg").read_bytes()
    start = data.index(EXTENSION) + len(EXTENSION)
    guid, (total,) = data[start : start + 32], struct.unpack(">I", data[start + 32 : start + 36])
    divided = xmp_extended.split(xmp, 65440)
    assert divided is not None
    main, rest = divided
    assert len(main) < 1000
    assert total == len(rest)
    assert guid == hashlib.md5(rest).hexdigest().upper().encode()
    assert guid in main
    from tests.formats.photo.test_jpeg_parts import exiftool

    tags: Any = exiftool(tmp_path / "a.jpg", "-XMP:all")
    assert tags["XMP-photoshop:City"] == "Berlin"
    assert tags["XMP-photoshop:History"] == long


def test_scale_follows_from_the_size_that_was_read(tmp_path: Path) -> None:
    image = load(with_xmp(packet('P:FullPanoWidthPixels="40"', P=GPANO)))
    larger = Image(image.header.resized(72, 120), np.zeros((72, 120, 3), np.uint8))
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        found = saved(tmp_path / f"a{suffix}", larger).header.metadata.xmp
        assert found is not None
        assert texts(found, "GPano", "FullPanoWidthPixels") == ["120"]
