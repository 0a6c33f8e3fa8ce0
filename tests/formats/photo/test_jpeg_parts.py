"""What a JPEG holds besides its image: kept, enlarged, or named."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
import subprocess
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperacuity import formats
from hyperacuity.errors import DamagedFile, HyperacuityError, UnsupportedFormat
from hyperacuity.formats import LossWarning
from hyperacuity.formats.photo.jpeg_segments import structure
from hyperacuity.formats.photo.xmp import Packet
from tests.formats import jpeg_files
from tests.formats.jpeg_files import jpeg, packet, resource, segment, with_index, with_segments, with_xmp
from tests.formats.samples import ICC, exif_block, load, save
from tests.formats.test_inventory import enlarged


def exiftool(path: Path, *options: str) -> dict[str, Any]:
    if shutil.which("exiftool") is None:
        pytest.skip("needs ExifTool")
    done = subprocess.run(["exiftool", "-j", "-G1", "-a", "-n", *options, path], capture_output=True, check=True)
    (tags,) = json.loads(done.stdout)
    return dict(tags)


def copied(data: bytes, folder: Path, suffix: str = ".jpg") -> tuple[Path, str]:
    """The copy of a file with doubled pixels, and the warnings."""
    (folder / "source.jpg").write_bytes(data)
    target = folder / f"copy{suffix}"
    return target, " ".join(enlarged(folder / "source.jpg", target))


@pytest.mark.parametrize(
    ("marker", "content", "label"),
    [
        (0xE1, b"FLIR\0\1\0\0raw", "thermal data (FLIR)"),
        (0xE2, b"FPXR\0\0stream", "FlashPix data"),
        (0xE3, b"\x12\x34\x80thermal", "APP3 segment without a name"),
        (0xE4, b"\xaa\x55\x12\x06parameters", "APP4 segment without a name"),
        (0xE7, b"XYZ\0unknown", "APP7 segment 'XYZ'"),
        (0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa", "Content Credentials (C2PA)"),
        (0xED, b"Photoshop 2.5\0words", "APP13 segment 'Photoshop 2.5'"),
        (0xE1, b"Exif\0\0" + exif_block() + b"\0", "second EXIF block"),
    ],
)
def test_segments_that_may_not_hold_are_named(marker: int, content: bytes, label: str, tmp_path: Path) -> None:
    data = with_segments((0xE1, b"Exif\0\0" + exif_block()), (marker, content))
    path, said = copied(data, tmp_path)
    assert f"not carried over to the result: {label}" in said
    assert content[4:] not in path.read_bytes()


@pytest.mark.parametrize(
    ("marker", "content"),
    [
        (0xE6, b"GoPro\0DEVC"),
        (0xE5, b"ssuniqueid\0abc"),
        (0xEA, b"UNICODE\0w\0o\0"),
        (0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\2\0\x0a\0\0\0\3\0a\0b\0c\0\0"),
        (0xFE, b"\xff\x00\x80 not UTF-8"),
    ],
)
def test_segments_that_hold_for_any_size_are_kept(marker: int, content: bytes, tmp_path: Path) -> None:
    path, said = copied(with_segments((marker, content)), tmp_path)
    assert said == ""
    assert segment(marker, content) in path.read_bytes()


@pytest.mark.parametrize(
    ("marker", "content"),
    [(0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\0"), (0xEE, b"Adobe\0\x64\0\0\0\0\1"), (0xEF, b"Q 90\0"), (0xE8, b"\0" * 9)],
)
def test_segments_about_the_encoding_are_no_loss(marker: int, content: bytes, tmp_path: Path) -> None:
    assert copied(with_segments((marker, content)), tmp_path)[1] == ""


def test_a_profile_in_many_segments_out_of_order_is_kept(tmp_path: Path) -> None:
    step = -(-len(ICC) // 5)
    chunks = [(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 5]) + ICC[n * step : (n + 1) * step]) for n in range(5)]
    path, said = copied(with_segments(*chunks[2:], *chunks[:2]), tmp_path)
    assert said == ""
    assert load(path).header.metadata.icc == ICC
    _, said = copied(with_segments(*chunks[1:]), tmp_path)
    assert "ICC profile, of which a part is missing" in said


def test_exif_in_several_segments_is_kept(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "x" * 90_000
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    data = with_segments((0xE1, b"Exif\0\0" + block[:65000]), (0xE1, b"Exif\0\0" + block[65000:]))
    path, said = copied(data, tmp_path)
    assert said == ""
    assert load(path).header.metadata.exif == block
    assert len(exiftool(path, "-ImageDescription")["IFD0:ImageDescription"]) == 90_000


def test_a_gain_map_is_enlarged_and_announced(tmp_path: Path) -> None:
    import pyvips

    path, said = copied(jpeg_files.ultra_hdr(), tmp_path)
    assert said == ""
    before, after = (pyvips.Image.uhdrload(str(each)) for each in (tmp_path / "source.jpg", path))
    assert (after.width, after.height) == (80, 48)
    for name in before.get_fields():
        if name.startswith("gainmap-") and name != "gainmap-data":
            assert after.get(name) == before.get(name), name
    maps = [PIL.Image.open(io.BytesIO(each.get("gainmap-data"))) for each in (before, after)]
    assert [each.size for each in maps] == [(20, 12), (40, 24)]
    expected = np.asarray(maps[0].resize((40, 24), PIL.Image.Resampling.BILINEAR), float)
    assert np.abs(np.asarray(maps[1], float) - expected).mean() < 2
    # The light that a display shows is that of the source.
    assert after.uhdr2scRGB().avg() == pytest.approx(before.uhdr2scRGB().avg(), rel=0.02)
    tags = exiftool(path)
    assert tags["MPF0:NumberOfImages"] == 2
    length = tags["MPImage2:MPImageLength"]
    assert tags["MPImage1:MPImageLength"] + length == path.stat().st_size
    xmp = load(path).header.metadata.xmp
    assert xmp is not None
    assert [each.text for each in Packet(xmp).values("Item", "Length")] == ["0", str(length)]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_gain_map_is_turned_with_the_image(orientation: int) -> None:
    turned = load(jpeg_files.ultra_hdr(orientation=orientation)).header.metadata.gain_map
    stored = load(jpeg_files.ultra_hdr()).header.metadata.gain_map
    assert turned is not None
    assert stored is not None
    exif = PIL.Image.Exif()
    exif[274] = orientation
    image = PIL.Image.fromarray(stored.pixels[..., 0])
    image.info["exif"] = exif.tobytes()
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(file))
    np.testing.assert_array_equal(turned.pixels[..., 0], np.asarray(upright))


def test_gain_maps_of_iso_and_apple_are_kept(tmp_path: Path) -> None:
    iso = b"urn:iso:std:iso:ts:21496:-1\0"
    gain = with_segments((0xE2, iso + b"\0\0\0\0" + b"parameters" * 4), image=jpeg(20, 12, "L"))
    main = with_segments((0xE2, iso + b"\0\0\0\0"))
    path, said = copied(with_index(main, gain), tmp_path)
    assert said == ""
    written = path.read_bytes()
    second = structure(written).end
    assert segment(0xE2, iso + b"\0\0\0\0") in written[:second]
    assert segment(0xE2, iso + b"\0\0\0\0" + b"parameters" * 4) in written[second:]

    apple = packet(
        'apdi:AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap" HDRGainMap:HDRGainMapVersion="65536"',
        apdi="http://ns.apple.com/pixeldatainfo/1.0/",
        HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/",
    )
    path, said = copied(with_index(jpeg(), with_xmp(apple, jpeg(20, 12, "L"))), tmp_path)
    assert said == ""
    second = structure(path.read_bytes()).end
    assert apple in path.read_bytes()[second:]
    assert exiftool(path)["MPImage2:MPImageStart"] == second


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_lost_gain_map_is_named_and_no_longer_announced(suffix: str, tmp_path: Path) -> None:
    path, said = copied(jpeg_files.ultra_hdr(video=jpeg_files.mp4()), tmp_path, suffix)
    assert "cannot hold the source's gain map (Ultra HDR), video of the motion photo" in said
    xmp = load(path).header.metadata.xmp
    assert xmp is not None
    for word in (b"hdrgm:", b"Container:", b"Item:", b"MotionPhoto"):
        assert b"<" + word not in xmp
    Packet(xmp)


def test_a_damaged_gain_map_is_named_and_no_longer_announced(tmp_path: Path) -> None:
    data = jpeg_files.ultra_hdr()
    path, said = copied(data[: structure(data).end + 700], tmp_path)
    assert "gain map (Ultra HDR)" in said
    assert b"hdrgm:Version>" not in path.read_bytes()
    assert b"MPF\0" not in path.read_bytes()


@pytest.mark.parametrize("hdr", [False, True])
def test_the_video_of_a_motion_photo_is_kept(hdr: bool, tmp_path: Path) -> None:
    video = jpeg_files.mp4()
    if hdr:
        data = jpeg_files.ultra_hdr(video=video)
    else:
        camera = "http://ns.google.com/photos/1.0/camera/"
        data = with_xmp(packet(f'C:MicroVideo="1" C:MicroVideoOffset="{len(video)}"', C=camera)) + video
    path, said = copied(data, tmp_path)
    assert said == ""
    assert path.read_bytes().endswith(b"\xff\xd9" + video)
    tags = exiftool(path)
    if hdr:
        assert tags["XMP-GCamera:MotionPhoto"] == 1
    else:
        assert tags["XMP-GCamera:MicroVideoOffset"] == len(video)


def test_samsungs_blocks_are_kept(tmp_path: Path) -> None:
    trailer = jpeg_files.samsung()
    path, said = copied(jpeg() + trailer, tmp_path)
    assert said == ""
    assert path.read_bytes().endswith(trailer)
    assert exiftool(path, "-Samsung:all")["Samsung:TimeStamp"] == exiftool(tmp_path / "source.jpg")["Samsung:TimeStamp"]
    _, said = copied(jpeg() + trailer, tmp_path, ".png")
    assert "Samsung blocks (Image_UTC_Data, MotionPhoto_Data)" in said


def test_an_appended_archive_is_kept(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "hello")
    path, said = copied(jpeg() + file.getvalue(), tmp_path)
    assert said == ""
    with zipfile.ZipFile(path) as archive:
        assert archive.read("a.txt") == b"hello"


def test_other_images_and_unknown_bytes_are_named(tmp_path: Path) -> None:
    path, said = copied(with_index(jpeg(), jpeg(), kind=0x020002), tmp_path)
    assert "not carried over to the result: stereo image" in said
    assert b"MPF\0" not in path.read_bytes()
    assert copied(with_index(jpeg(), jpeg(), kind=0x010001), tmp_path)[1] == ""
    assert "second image" in copied(jpeg() + jpeg(8, 8), tmp_path)[1]
    assert "6 unknown bytes behind the image" in copied(jpeg() + b"\0\0\0secret", tmp_path)[1]
    assert copied(jpeg() + b"\0" * 99 + b"\r\n", tmp_path)[1] == ""
    apple = [
        with_xmp(packet(f'a:AuxiliaryImageType="urn:com:apple:photo:{kind}"', a="urn:a"), jpeg(8, 8))
        for kind in ("2020:aux:hdrgainmap", "2018:aux:portraiteffectsmatte", "2017:aux:disparity")
    ]
    path, said = copied(with_index(jpeg(), *apple), tmp_path)
    assert said.endswith("not carried over to the result: matte of a portrait, depth map")
    assert load(path).header.metadata.gain_map is not None


@pytest.mark.parametrize("kind", [0, 0x020002])
def test_each_of_several_images_is_named(kind: int, tmp_path: Path) -> None:
    _, said = copied(with_index(jpeg(), jpeg(30, 20), jpeg(20, 10), jpeg(10, 10), kind=kind), tmp_path)
    suffix = " (stereo image)" if kind else ""
    second = "stereo image" if kind else "second image"
    assert f"{second}, image 3 of the file{suffix}, image 4 of the file{suffix}" in said


def test_content_credentials_are_removed_from_xmp_and_named(tmp_path: Path) -> None:
    terms = "http://purl.org/dc/terms/"
    for suffix in (".jpg", ".png"):
        data = with_xmp(packet("<d:provenance>https://a.example/m.c2pa</d:provenance>", d=terms))
        path, said = copied(data, tmp_path, suffix)
        assert "link to Content Credentials (C2PA)" in said
        assert b"c2pa" not in (load(path).header.metadata.xmp or b"")


@pytest.mark.parametrize("mode", ["RGB", "L", "progressive"])
def test_a_missing_end_marker_is_only_warned_of(mode: str, tmp_path: Path) -> None:
    whole = jpeg(mode="RGB", progressive=True) if mode == "progressive" else jpeg(mode=mode)
    with pytest.warns(LossWarning, match="end marker is missing"):
        image = load(whole[:-2])
    np.testing.assert_array_equal(image.pixels, load(whole).pixels)
    with pytest.warns(LossWarning, match="end marker is missing"):
        load(whole[:-1])
    with pytest.raises(DamagedFile), formats.read(whole[:-2], strict=True) as source:
        list(source)
    for cut in (4, 9, 30):
        with pytest.raises(DamagedFile):
            load(whole[:-cut])
    if mode == "progressive":
        # At the end of a scan nothing is cut short, but the pixels are not what they should be.
        scans = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xda"]
        tables = whole.rindex(b"\xff\xc4", 0, scans[-1])
        with pytest.raises(DamagedFile):
            load(whole[:tables])


def test_a_change_from_cmyk_is_named_once(tmp_path: Path) -> None:
    profile = ICC[:16] + b"CMYK" + ICC[20:]
    data = with_segments((0xE2, b"ICC_PROFILE\0\1\1" + profile), image=jpeg(mode="CMYK"))
    for suffix in (".jpg", ".png"):
        path, said = copied(data, tmp_path, suffix)
        assert said.count("CMYK colours (converted to sRGB), CMYK profile") == 1
        assert load(path).header.metadata.icc is None


def test_the_shape_of_pixels_is_kept(tmp_path: Path) -> None:
    data = bytearray(jpeg())
    data[13:18] = struct.pack(">BHH", 0, 10, 11)
    path, _ = copied(bytes(data), tmp_path)
    tags = exiftool(path)
    assert (tags["JFIF:ResolutionUnit"], tags["JFIF:XResolution"], tags["JFIF:YResolution"]) == (0, 10, 11)
    _, said = copied(bytes(data), tmp_path, ".ppm")
    assert "cannot hold the source's shape of pixels that are not square" in said
    exif = PIL.Image.Exif()
    exif[274] = 6
    turned = with_segments((0xE1, exif.tobytes()), image=bytes(data))
    assert load(turned).header.metadata.density_ratio == (11, 10)


def test_a_resolution_without_unit_is_kept(tmp_path: Path) -> None:
    data = bytearray(jpeg())
    data[13:18] = struct.pack(">BHH", 0, 72, 72)
    path, said = copied(bytes(data), tmp_path, ".jpg")
    assert (path.read_bytes()[13:18], said) == (bytes(data[13:18]), "")
    for suffix in (".avif", ".gif", ".ppm"):
        _, said = copied(bytes(data), tmp_path, suffix)
        assert "shape" not in said
    # The resolution in EXIF has a unit, and stands for the file.
    assert load(with_segments((0xE1, b"Exif\0\0" + exif_block()), image=bytes(data))).header.metadata.dpi == (300, 300)


@pytest.mark.parametrize(
    ("marker", "depth", "words"),
    [
        (0xC1, 12, "its values have 12 bits, and JPEG is read with 8; convert it to a 16-bit PNG or TIFF first"),
        (0xF7, 8, "it is a JPEG-LS image; convert it to PNG or TIFF first"),
        (0xC5, 8, "it is coded by a process of JPEG that is not read .0xc5.; convert it to PNG or TIFF first"),
    ],
)
def test_other_processes_of_jpeg_are_not_damage(marker: int, depth: int, words: str) -> None:
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, depth
    with pytest.raises(UnsupportedFormat, match=f"cannot be read: {words}"):
        load(bytes(data))


@pytest.mark.parametrize(("unit", "across", "down"), [(1, 300, 72), (2, 118, 1)])
def test_resolutions_are_exact_in_either_unit(unit: int, across: int, down: int, tmp_path: Path) -> None:
    data = bytearray(jpeg())
    data[13:18] = struct.pack(">BHH", unit, across, down)
    path, _ = copied(bytes(data), tmp_path, ".jpg")
    assert path.read_bytes()[13:18] == data[13:18]


def test_a_second_block_of_iptc_is_named(tmp_path: Path) -> None:
    first, second = (b"Photoshop 3.0\0" + resource(0x0404, b"\x1c\2\x05\0\1" + each) for each in (b"A", b"B"))
    path, said = copied(with_segments((0xED, first), (0xED, second)), tmp_path, ".jpg")
    assert "not carried over to the result: second IPTC" in said
    assert load(path).header.metadata.iptc == b"\x1c\2\x05\0\1A"


def test_a_jpeg_without_anything_else_gives_no_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(tmp_path / "a.jpg", load(jpeg()))
    assert formats.list_items(tmp_path / "a.jpg") == ()


@settings(max_examples=60, deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0.05, 1),
)
def test_damage_raises_only_our_errors(flips: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(jpeg_files.everything() + jpeg_files.samsung())
    for where, value in flips:
        data[int(where * len(data))] = value
    data = data[: int(cut * len(data))] if cut < 0.9 else data
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore", LossWarning)
        with contextlib.suppress(HyperacuityError):
            formats.list_items(bytes(data))
        with contextlib.suppress(HyperacuityError):
            image = load(bytes(data))
            save(Path(folder, "a.jpg"), image)
            load(Path(folder, "a.jpg"))
