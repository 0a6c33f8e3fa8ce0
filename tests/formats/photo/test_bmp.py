"""BMP."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hyperacuity.errors import DamagedFile
from hyperacuity.image import Metadata
from tests.formats.samples import (
    gradient,
    load,
    saved,
)


def test_a_resolution_beyond_bmp_is_the_highest_that_it_can_store(tmp_path: Path) -> None:
    dpi = saved(tmp_path / "a.bmp", gradient(metadata=Metadata(dpi=(1e9, 300)))).header.metadata.dpi
    assert dpi == pytest.approx((2**31 * 0.0254, 300), rel=1e-3)


def test_headers_of_os2_are_read_and_their_truncation_is_reported() -> None:
    """Each of these once caused an internal error."""
    os2 = b"BM" + struct.pack("<IHHIIHHHH", 30, 0, 0, 26, 12, 1, 1, 1, 24) + b"\1\2\3\0"
    assert load(os2).pixels.tolist() == [[[3, 2, 1]]]
    with pytest.raises(DamagedFile, match="cut short inside its header"):
        load(os2[:20])
