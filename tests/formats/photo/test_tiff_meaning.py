"""What an enlarged TIFF keeps of each page, by an independent reader: calibration, descriptions, custom tags."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from tests.formats.samples import enlarge, load, noise

tifffile = pytest.importorskip("tifffile", reason="the independent reader, tifffile, is not installed")

GEO = [
    (33550, 12, 3, (10.0, 10.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 6e5, 53e5, 0.0), True),
    (34735, 3, 4, (1, 1, 0, 0), True),
]


def tags(path: Path, page: int = 0) -> dict[int, Any]:
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[page].tags}


def enlarged(path: Path, scale: int = 2) -> Path:
    enlarge(path, path.with_name("large.tif"), scale)
    return path.with_name("large.tif")


def test_imagej_keeps_its_calibration_and_structure(tmp_path: Path) -> None:
    stack = np.stack([noise(1, np.uint16, 12, 16, seed=seed)[..., 0] for seed in range(6)]).reshape(1, 3, 2, 12, 16)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        imagej=True,
        resolution=(5, 4),
        metadata={
            "axes": "TZCYX",
            "unit": "um",
            "spacing": 2.5,
            "finterval": 7.0,
            "xorigin": 3.0,
            "Labels": list("abcdef"),
            "Ranges": (0.0, 9.0, 0.0, 7.0),
        },
    )
    with tifffile.TiffFile(enlarged(tmp_path / "a.tif")) as file:
        assert file.is_imagej
        assert (file.series[0].axes, file.series[0].shape) == ("ZCYX", (3, 2, 24, 32))
        about = file.imagej_metadata
        np.testing.assert_array_equal(file.asarray(), stack[0].repeat(2, 2).repeat(2, 3))
        assert file.pages[0].is_contiguous
    assert (about["unit"], about["spacing"], about["finterval"], about["xorigin"]) == ("um", 2.5, 7.0, 6.0)
    assert (about["slices"], about["channels"], about["images"]) == (3, 2, 6)
    assert (about["Labels"], about["Ranges"]) == (list("abcdef"), (0.0, 9.0, 0.0, 7.0))
    for page in range(6):
        found = tags(tmp_path / "large.tif", page)
        assert (found[282], found[283], found[296]) == ((10, 1), (8, 1), 1)


def test_imagej_with_one_directory_for_all_images_is_read_whole(tmp_path: Path) -> None:
    stack = np.stack([noise(1, np.uint8, 12, 16, seed=seed)[..., 0] for seed in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place = file.pages[0].offset + 2 + 12 * len(file.pages[0].tags)
    data[place : place + 4] = b"\0" * 4
    (tmp_path / "a.tif").write_bytes(data)
    with tifffile.TiffFile(enlarged(tmp_path / "a.tif")) as file:
        assert len(file.pages) == 3
        np.testing.assert_array_equal(file.asarray(), stack.repeat(2, 1).repeat(2, 2))


def test_regions_of_imagej_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", noise(1, np.uint8)[..., 0], imagej=True, metadata={"Info": "hello", "ROI": b"Iout" * 20}
    )
    (warning,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert "ImageJ's regions (ROI)" in warning
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.imagej_metadata["Info"] == "hello"
        assert "ROI" not in file.imagej_metadata


def test_ome_states_the_new_sizes(tmp_path: Path) -> None:
    stack = np.stack([noise(1, np.uint16, 12, 16, seed=seed)[..., 0] for seed in range(4)]).reshape(2, 2, 12, 16)
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        stack,
        ome=True,
        resolution=(1e4, 1e4),
        resolutionunit="CENTIMETER",
        metadata={
            "axes": "ZCYX",
            "PhysicalSizeX": 0.29,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.3,
            "PhysicalSizeZ": 2.0,
            "Channel": {"Name": ["A > B", "C"]},
        },
    )
    with tifffile.TiffFile(enlarged(tmp_path / "a.ome.tif")) as file:
        assert (file.series[0].axes, file.series[0].shape) == ("ZCYX", (2, 2, 24, 32))
        np.testing.assert_array_equal(file.asarray(), stack.repeat(2, 2).repeat(2, 3))
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["SizeX"], pixels["SizeY"], pixels["SizeZ"], pixels["SizeC"]) == (32, 24, 2, 2)
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"], pixels["PhysicalSizeZ"]) == (0.145, 0.15, 2.0)
    assert [channel["Name"] for channel in pixels["Channel"]] == ["A > B", "C"]
    found = tags(tmp_path / "large.tif")
    assert (found[282], found[296]) == ((20000, 1), 3)


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_the_resolution_keeps_its_unit(unit: int, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(), resolution=((600, 7), (301, 3)), resolutionunit=unit, metadata=None)
    found = tags(enlarged(tmp_path / "a.tif"))
    assert (Fraction(*found[282]), Fraction(*found[283]), found[296]) == (Fraction(600, 7), Fraction(301, 3), unit)


def test_an_absent_resolution_stays_absent(shared: Path, tmp_path: Path) -> None:
    path = shared / "cases" / "pictures" / "press.tif"
    if not path.exists():
        pytest.skip("needs cases/pictures/press.tif in ../shared")
    enlarge(path, tmp_path / "b.tif")
    found = tags(tmp_path / "b.tif")
    assert not {282, 283, 296} & found.keys()
    assert found[33723] == tags(path)[33723]


def test_a_resolution_beyond_32_bits_is_rounded(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise(1, np.uint8)[..., 0],
        imagej=True,
        resolution=((4294967295, 1000003), (3, 4294967291)),
        metadata={"unit": "nm"},
    )
    found = tags(enlarged(tmp_path / "a.tif", 3))
    assert float(Fraction(*found[282])) == pytest.approx(3 * 4294967295 / 1000003, rel=1e-8)
    assert float(Fraction(*found[283])) == pytest.approx(9 / 4294967291, rel=1e-8)


def test_every_page_keeps_its_own_tags(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number in range(3):
            file.write(
                noise(3, np.uint8, 10 + number, 12),
                photometric="rgb",
                description=f"page {number}",
                datetime=f"2024:01:0{number + 1} 00:00:00",
                software="scanner",
                metadata=None,
                extratags=[
                    (269, 2, 0, f"document {number}", True),
                    (271, 2, 0, "Maker", True),
                    (285, 2, 0, f"name {number}", True),
                    (297, 3, 2, (number, 3), True),
                    (315, 2, 0, "Artist", True),
                    (316, 2, 0, "computer", True),
                    (33432, 2, 0, "(c)", True),
                    (65000, 7, 5, bytes([1, 2, 3, 4, number]), True),
                ],
            )
    for number in range(3):
        before, after = tags(tmp_path / "a.tif", number), tags(enlarged(tmp_path / "a.tif"), number)
        for tag in (269, 270, 271, 285, 297, 305, 306, 315, 316, 33432, 65000):
            assert after[tag] == before[tag], tag
        assert (after[257], after[256]) == (2 * before[257], 2 * before[256])


def test_geotiff_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise(),
        metadata=None,
        extratags=[*GEO, (42112, 2, 0, "<GDALMetadata/>", True), (42113, 2, 0, "0", True)],
    )
    told = "\n".join(enlarge(tmp_path / "a.tif", tmp_path / "b.tif"))
    for name in ("georeference", "GDAL's metadata", "no-data value"):
        assert name in told
    assert not {33550, 33922, 34735, 42112, 42113} & tags(tmp_path / "b.tif").keys()


@pytest.mark.parametrize(("tag", "name"), [(34412, "LSM"), (33628, "STK"), (34118, "Zeiss SEM"), (34680, "FEI")])
def test_settings_of_microscopes_are_named(tag: int, name: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(), metadata=None, extratags=[(tag, 7, 4, b"abcd", True)])
    (warning,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert name in warning
    assert tag not in tags(tmp_path / "b.tif")


def test_the_shape_that_tifffile_writes_is_the_new_one(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([noise(seed=seed) for seed in range(2)]), metadata={"who": "me"})
    found = json.loads(tags(enlarged(tmp_path / "a.tif"))[270])
    assert found == {"shape": [2, 42, 68, 3], "who": "me"}


@pytest.mark.parametrize(
    ("shape", "options", "axes", "expected"),
    [
        ((3, 21, 34), {"planarconfig": "separate", "photometric": "rgb"}, "YXS", (42, 68, 3)),
        ((2, 3, 21, 34), {"planarconfig": "separate", "photometric": "rgb"}, "QYXS", (2, 42, 68, 3)),
        ((3, 21, 34), {"photometric": "minisblack"}, "QYX", (3, 42, 68)),
        ((21, 34), {"photometric": "palette"}, "YXS", (42, 68, 3)),
        ((3, 21, 34), {"photometric": "palette"}, "QYXS", (3, 42, 68, 3)),
        ((21, 34, 2), {"photometric": "minisblack", "extrasamples": ["unspecified"]}, "YX", (42, 68)),
        ((21, 34, 4), {"photometric": "separated"}, "YXS", (42, 68, 3)),
    ],
)
def test_tifffile_reads_the_shape_that_the_result_has(
    shape: tuple[int, ...], options: dict[str, Any], axes: str, expected: tuple[int, ...], tmp_path: Path
) -> None:
    if options["photometric"] == "palette":
        options = options | {"colormap": np.stack([np.arange(256) * each for each in (257, 99, 7)]).astype(np.uint16)}
    array = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    with tifffile.TiffFile(enlarged(tmp_path / "a.tif")) as file:
        assert [(each.axes, each.shape, each.kind) for each in file.series] == [(axes, expected, "shaped")]


def test_photoshop_resources_keep_what_stays_true(tmp_path: Path) -> None:
    def resource(number: int, data: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)

    guides = struct.pack(">4I", 1, 576, 576, 2) + struct.pack(">IBIB", 320, 0, 64, 1)
    path = resource(2000, b"\0" * 52)
    iptc = resource(1028, b"\x1c\x02\x78\0\x05hello")
    block = resource(1036, b"thumbnail") + iptc + resource(1032, guides) + resource(1050, b"sliceID sliceID") + path
    tifffile.imwrite(tmp_path / "a.tif", noise(), metadata=None, extratags=[(34377, 7, len(block), block, True)])
    (warning,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert "Photoshop's slices" in warning
    moved = struct.pack(">4I", 1, 576, 576, 2) + struct.pack(">IBIB", 640, 0, 128, 1)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        tag = file.pages[0].tags[34377]
        found = (tmp_path / "b.tif").read_bytes()[tag.valueoffset : tag.valueoffset + tag.count]
    assert found == iptc + resource(1032, moved) + path
    assert tags(tmp_path / "b.tif")[33723].rstrip(b"\0") == b"\x1c\x02\x78\0\x05hello"


def test_a_turned_page_swaps_its_resolution(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise(),
        resolution=(100, 50),
        metadata=None,
        extratags=[(274, 3, 1, 6, True)],
    )
    assert load(tmp_path / "a.tif").header.shape == (34, 21, 3)
    found = tags(enlarged(tmp_path / "a.tif"))
    assert (found[282], found[283]) == ((50, 1), (100, 1))
    assert found.get(274, 1) == 1


def test_iptc_of_tiff_is_carried_to_jpeg_and_back(tmp_path: Path) -> None:
    records = b"\x1c\x02\x19\0\x06bridge"
    tifffile.imwrite(tmp_path / "a.tif", noise(), metadata=None, extratags=[(33723, 7, len(records), records, True)])
    assert not enlarge(tmp_path / "a.tif", tmp_path / "b.jpg")
    assert not enlarge(tmp_path / "b.jpg", tmp_path / "c.tif")
    assert tags(tmp_path / "c.tif")[33723].rstrip(b"\0") == records
    assert tags(enlarged(tmp_path / "a.tif"))[33723] == records


def test_what_png_cannot_hold_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise(1, np.uint8)[..., 0],
        imagej=True,
        metadata={"unit": "um"},
        extratags=[(65000, 7, 4, b"abcd", True)],
    )
    (warning,) = enlarge(tmp_path / "a.tif", tmp_path / "b.png")
    assert "cannot hold the source's ImageJ's calibration, tag 65000" in warning


def test_every_tag_is_listed_with_its_page(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number in range(2):
            file.write(
                noise(), description=f"page {number}", metadata=None, extratags=[*GEO, (65000, 3, 1, number, True)]
            )
    items = {item.key: item.carrier for item in formats.list_items(tmp_path / "a.tif")}
    for place in ("", "page 2 "):
        assert items[f"{place}tag 270"] == "exif"
        assert items[f"{place}tag 65000"] == "native"
        assert items[f"{place}tag 33550"] is None


def test_masks_are_named_and_previews_are_not(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(), metadata=None, software=False)
        file.write(noise(height=5, width=6), subfiletype=1, metadata=None, software=False)
        file.write(noise(1, np.uint8)[..., 0] > 99, subfiletype=4, metadata=None, software=False)
    (warning,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert "transparency mask" in warning
    with tifffile.TiffFile(tmp_path / "b.tif") as result:
        assert len(result.pages) == 1


def test_images_in_sub_directories_are_named_unless_they_are_smaller_copies(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(), metadata=None, software=False, subifds=2)
        file.write(noise(height=11, width=17), metadata=None, software=False)
        file.write(noise(height=30, width=5), metadata=None, software=False)
    (warning,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert warning.endswith("not carried over to the result: image in a sub-directory")


def test_a_page_of_several_and_its_orientation_are_stated_again(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(), subfiletype=2, metadata=None, extratags=[(274, 3, 1, 3, True)])
    found = tags(enlarged(tmp_path / "a.tif"))
    assert (found[254], found[274]) == (2, 1)
