"""HEIC, as phones write it."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import MissingDependency
from hyperacuity.formats import LossWarning
from hyperacuity.image import Array, Image, StatedColour
from tests.formats.samples import ICC, XMP, Animated, exif_block, gradient, load, save


def heic(pixels: Array, mode: str = "RGB", **options: Any) -> bytes:
    """A file made by pillow-heif."""
    library = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    image = library.from_bytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    image.save(file, **{"quality": 95, **options})
    data: bytes = file.getvalue()
    return data


def copied(data: bytes, path: Path) -> bytes:
    with formats.read(data) as source, formats.write(path, source) as sink:
        for image in source:
            sink.write(image.strips())
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".png", ".jpg"])
@pytest.mark.filterwarnings("ignore:.*rounded")
def test_a_phone_photo_keeps_everything(suffix: str, tmp_path: Path) -> None:
    pixels = gradient().pixels.astype(np.uint16) << 8
    given = heic(
        pixels,
        "RGB;16",
        bit_depth=10,
        exif=b"Exif\0\0" + exif_block(),
        xmp=XMP,
        color_primaries=12,
        transfer_characteristics=13,
        matrix_coefficients=6,
        full_range_flag=1,
        chroma=444,
    )
    before = load(given)
    assert before.header.levels == (0, 65472)
    assert before.header.metadata.colour == StatedColour(12, 13)
    assert np.abs(before.pixels.astype(int) - pixels).mean() < 512
    after = load(copied(given, tmp_path / f"a{suffix}"))
    assert np.abs(after.to_8bit().astype(int) - before.to_8bit()).mean() < 3
    metadata = after.header.metadata
    assert metadata.exif is not None
    assert len(metadata.exif) == len(exif_block())
    assert metadata.xmp is not None
    if suffix == ".jpg":
        assert metadata.icc is not None
    else:
        assert metadata.colour == StatedColour(12, 13)
        assert after.pixels.dtype == np.uint16
    if suffix in (".heic", ".avif"):
        assert after.header.levels == (0, 65472)
    if exiftool := shutil.which("exiftool"):
        command = [exiftool, "-s3", "-GPSLatitudeRef", "-XResolution", str(tmp_path / f"a{suffix}")]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert found.stdout.split("\n")[:2] == ["North", "300"]


def test_the_container_turns_the_image_and_exif_does_not(tmp_path: Path) -> None:
    pixels = gradient().pixels
    given = heic(pixels, chroma=444, exif=b"Exif\0\0" + exif_block(orientation=6))
    image = load(given)
    assert image.header.shape == (64, 48, 3)
    assert np.abs(image.pixels.astype(int) - np.rot90(pixels, -1)).mean() < 3
    assert load(copied(given, tmp_path / "a.jpg")).header.shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "L;16"])
def test_modes(mode: str, tmp_path: Path) -> None:
    channels = {"L": 1, "LA": 2, "RGBA": 4, "L;16": 1}[mode]
    pixels = np.dstack([gradient().pixels, gradient().pixels[..., :1]])[..., :channels]
    given = heic(pixels.astype(np.uint16) << 8 if mode == "L;16" else pixels, mode)
    back = load(copied(given, tmp_path / "a.heic"))
    assert (back.header.channels, back.header.alpha) == (channels, channels in (2, 4))
    assert np.abs(back.to_8bit().astype(int) - pixels).mean() < 4


def test_profiles_are_kept(tmp_path: Path) -> None:
    given = heic(gradient().pixels, icc_profile=ICC, save_nclx_profile=False)
    back = load(copied(given, tmp_path / "a.heic"))
    assert (back.header.metadata.icc, back.header.metadata.colour) == (ICC, None)


def test_no_colour_is_added(tmp_path: Path) -> None:
    save(tmp_path / "a.heic", gradient())
    assert load(tmp_path / "a.heic").header.metadata.colour is None
    data = (tmp_path / "a.heic").read_bytes()
    at = data.index(b"colrnclx") + 8
    assert struct.unpack(">HHHB", data[at : at + 7]) == (2, 2, 6, 128)


def test_more_images_and_thumbnails(tmp_path: Path) -> None:
    library = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    images = library.from_bytes("RGB", (64, 48), gradient().pixels.tobytes())
    images.add_frombytes("RGB", (64, 48), gradient().pixels.tobytes())
    images.save(file, thumbnails=[32])
    with pytest.warns(LossWarning, match="not carried over.*: 1 more image$"):
        copied(file.getvalue(), tmp_path / "a.heic")


def test_without_the_library_the_message_says_what_it_is_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    with pytest.raises(MissingDependency, match=r"IMG_1.HEIC is a HEIC image, .* pip install 'hyperacuity\[heif\]'"):
        formats.read(tmp_path / "IMG_1.HEIC")
    with pytest.raises(MissingDependency, match=r"pip install 'hyperacuity\[heif\]'"):
        formats.write(tmp_path / "a.heic", None)


def test_animations_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    with pytest.raises(Exception, match="does not hold 3 frames"):
        formats.write(tmp_path / "a.heic", Animated(3, 0))  # type: ignore[arg-type]


def test_sixteen_bits_become_ten_with_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    with pytest.warns(LossWarning, match="HEIC holds 10 bits"):
        save(tmp_path / "a.heic", Image.from_pixels(gradient().pixels.astype(np.uint16) * 257))
    assert load(tmp_path / "a.heic").header.levels == (0, 65472)
