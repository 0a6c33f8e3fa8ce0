"""Rows of large images: read from a TIFF file in any order, and decoded into a file instead of into memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from hyperacuity import formats
from hyperacuity.errors import DamagedFile
from hyperacuity.formats import content
from hyperacuity.formats.photo import on_disk
from hyperacuity.formats.photo.tiff_tags import Tiff
from hyperacuity.image import Image
from tests.formats.samples import noise, save

KINDS: list[tuple[int, Any]] = [
    (1, np.uint8),
    (3, np.uint8),
    (4, np.uint8),
    (2, np.uint16),
    (3, np.uint16),
    (4, np.float32),
]
LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {},
    "deflate": {"compression": "deflate", "predictor": "horizontal"},
    "tiles": {"tile": True, "tile_width": 16, "tile_height": 32},
    "deflated tiles": {"tile": True, "tile_width": 64, "tile_height": 16, "compression": "deflate", "bigtiff": True},
}


def written(path: Path, channels: int, dtype: Any, **layout: Any) -> Path:
    pixels = noise(channels, dtype, 90, 70)
    kind = {1: "uchar", 2: "ushort", 4: "float"}[pixels.dtype.itemsize]
    space = "b-w" if channels < 3 else "srgb"
    if pixels.dtype.itemsize == 2:
        space = "grey16" if channels < 3 else "rgb16"
    image = pyvips.Image.new_from_memory(pixels.tobytes(), 70, 90, channels, kind).copy(interpretation=space)
    image.tiffsave(str(path), **layout)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_rows_of_a_tiff_are_those_of_the_image(channels: int, dtype: Any, layout: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", channels, dtype, **LAYOUTS[layout])
    with formats.read(path) as source:
        (image,) = source
    rows = formats.row_source(path)
    assert rows is not None
    header = rows.header
    assert (header.shape, header.dtype, header.alpha, header.levels) == (
        image.header.shape,
        image.header.dtype,
        image.header.alpha,
        image.header.levels,
    )
    for first, last in ((0, 90), (0, 1), (31, 33), (89, 90), (17, 80)):
        np.testing.assert_array_equal(np.concatenate(list(rows.read(first, last))), image.pixels[first:last])


def test_only_the_wanted_strips_are_decoded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", 3, np.uint8, tile=True, tile_width=16, tile_height=16, compression="deflate")
    data = bytearray(path.read_bytes())
    rows = formats.row_source(path)
    assert rows is not None
    before = list(rows.read(0, 16))
    tiff = Tiff(bytes(data))
    last = tiff.integers(tiff.directories()[0], 324)[-1]
    data[last : last + 20] = bytes(20)
    path.write_bytes(data)
    damaged = formats.row_source(path)
    assert damaged is not None
    np.testing.assert_array_equal(list(damaged.read(0, 16)), before)
    with pytest.raises(DamagedFile, match="is damaged"):
        list(damaged.read(0, 90))


def test_other_files_have_no_rows_to_read_in_any_order(tmp_path: Path) -> None:
    image = Image.from_pixels(noise(3, np.uint8, 20, 30))
    save(tmp_path / "a.png", image)
    assert formats.row_source(tmp_path / "a.png") is None
    written(tmp_path / "lzw.tif", 3, np.uint8, compression="lzw")
    assert formats.row_source(tmp_path / "lzw.tif") is None
    (tmp_path / "bad.tif").write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(DamagedFile):
        formats.row_source(tmp_path / "bad.tif")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
def test_a_large_image_is_decoded_into_a_file_with_the_same_pixels(ending: str, tmp_path: Path) -> None:
    save(tmp_path / f"a{ending}", Image.from_pixels(noise(3, np.uint8, 200, 300)))
    with formats.read(tmp_path / f"a{ending}") as source:
        (wanted,) = source
    folder = tmp_path / "scratch"
    folder.mkdir()
    with on_disk.decoding_into(folder, least=1000), formats.read(tmp_path / f"a{ending}") as source:
        (image,) = source
    assert image.header == wanted.header
    np.testing.assert_array_equal(image.pixels, wanted.pixels)
    assert on_disk.mapping_of(image.pixels) is not None
    np.testing.assert_array_equal(np.concatenate(list(on_disk.rows_of(image))), wanted.pixels)
    assert not list(folder.iterdir())  # the file has no name, so that it cannot remain


def test_small_images_and_other_callers_use_memory(tmp_path: Path) -> None:
    save(tmp_path / "a.png", Image.from_pixels(noise(3, np.uint8, 20, 30)))
    with on_disk.decoding_into(tmp_path), formats.read(tmp_path / "a.png") as source:
        (image,) = source
    assert on_disk.mapping_of(image.pixels) is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_a_file_that_is_decoded_into_another_one_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Its pages are mapped, and would count as memory of the process that reads them."""
    monkeypatch.setattr(content, "COPIED", 0)
    path = tmp_path / f"a{ending}"
    save(path, Image.from_pixels(noise(3, np.uint8, 3000, 3000)))
    with on_disk.decoding_into(tmp_path, least=1000), formats.read(path) as source:
        (image,) = source
        resident = resident_of(path)
    assert image.pixels.shape == (3000, 3000, 3)
    assert resident < path.stat().st_size / 4


def resident_of(path: Path) -> int:
    """The bytes of a mapped file that are in the memory of this process."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    places = [n for n, line in enumerate(lines) if line.endswith(f" {path}")]
    assert places
    return sum(int(next(line for line in lines[n:] if line.startswith("Rss:")).split()[1]) << 10 for n in places)
