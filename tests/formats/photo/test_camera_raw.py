"""Raw files of cameras are named as such, whatever structure they have."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import UnsupportedFormat
from tests.formats.samples import noise

tifffile = pytest.importorskip("tifffile", reason="the independent writer, tifffile, is not installed")

PREVIEW = {"subfiletype": 1, "photometric": "rgb"}
MOSAIC = {"photometric": "cfa"}


def raw(make: str, *pages: tuple[dict[str, Any], dict[str, Any] | None]) -> bytes:
    """A file of pages, each with the options of a directory and those of a sub-directory."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for options, inner in pages:
            pixels = noise() if options.get("photometric") == "rgb" else noise(1, np.uint16)[..., 0]
            extra = [(271, 2, 0, make, True)] if make else []
            writer.write(pixels, metadata=None, extratags=extra, subifds=1 if inner else 0, **options)
            if inner:
                writer.write(noise(1, np.uint16)[..., 0], metadata=None, **inner)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("NIKON CORPORATION", "NEF"),
        ("SONY", "ARW"),
        ("PENTAX", "PEF"),
        ("SAMSUNG", "SRW"),
        ("Canon", "CR2"),
        ("Hasselblad", "3FR"),
        ("Somebody", "of an unknown kind"),
    ],
)
def test_raw_files_are_named_after_their_maker(make: str, kind: str, tmp_path: Path) -> None:
    below = raw(make, (PREVIEW, MOSAIC))
    alone = raw(make, (MOSAIC, None))
    hidden = raw(make, (PREVIEW, {"photometric": "minisblack"}))
    for data in (below, alone, hidden):
        (tmp_path / "photo.raw").write_bytes(data)
        with pytest.raises(UnsupportedFormat) as caught:
            formats.read(tmp_path / "photo.raw")
        assert f"a raw camera file ({kind}): develop it into a TIFF or JPEG first" in str(caught.value)
        assert "damaged" not in str(caught.value)


def test_the_mark_of_canon_decides() -> None:
    data = bytearray(raw("", (PREVIEW, MOSAIC)))
    assert data[:4] == b"II*\0"
    with pytest.raises(UnsupportedFormat, match=r"\(CR2\)"):
        formats.read(bytes(data[:8]) + b"CR\2\0" + bytes(data[12:]))


def test_a_preview_of_an_ordinary_page_makes_no_raw_file() -> None:
    with formats.read(raw("NIKON CORPORATION", ({"photometric": "rgb"}, {"photometric": "minisblack"}))) as source:
        assert source.frames == 1


def test_the_case_in_shared(shared: Path) -> None:
    path = shared / "cases" / "pictures" / "like.nef"
    if not path.exists():
        pytest.skip("needs cases/pictures/like.nef in ../shared")
    with pytest.raises(UnsupportedFormat, match=r"a raw camera file \(NEF\): develop it"):
        formats.read(path)
