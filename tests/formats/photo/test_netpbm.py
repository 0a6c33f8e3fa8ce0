"""PBM, PGM, PPM, PAM and PFM."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperacuity.errors import DamagedFile, UsageError
from hyperacuity.formats import LossWarning
from tests.formats.samples import (
    gradient,
    load,
    save,
)


def test_every_kind_of_netpbm_is_read() -> None:
    grey: NDArray[Any] = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert load(b"P2\n# a comment\n3 2\n5\n0 1 2\n3 4 5\n").pixels[..., 0].tolist() == grey.tolist()
    assert load(b"P5 3 2 5\n" + grey.tobytes()).header.levels == (0, 5)
    assert load(b"P1\n3 2\n010 1 0 1").pixels[..., 0].tolist() == [[255, 0, 255], [0, 255, 0]]
    assert load(b"P4\n3 2\n\x40\xa0").pixels[..., 0].tolist() == [[255, 0, 255], [0, 255, 0]]
    assert load(b"P3 1 1 1023 1 2 1023").pixels.tolist() == [[[1, 2, 1023]]]
    pam = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\1\2\3\4"
    assert load(pam).header.alpha
    assert load(b"Pf\n1 2\n1.0\n" + struct.pack(">2f", 2, 1)).pixels[..., 0].tolist() == [[1], [2]]
    with pytest.raises(DamagedFile, match="exceed"):
        load(b"P5 1 1 5\n\6")
    with pytest.raises(DamagedFile, match="positive"):
        load(b"P5 -1 1 255\n\6")


def test_colours_into_pgm_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.ppm"):
        save(tmp_path / "a.pgm", gradient())


def test_a_pam_header_without_a_number_is_damaged() -> None:
    """This once caused an internal error."""
    with pytest.raises(DamagedFile, match="lacks HEIGHT"):
        load(b"P7\nWIDTH 1\nHEIGHT \n \nDEPTH 1\nMAXVAL 255\nENDHDR\n\0")


def test_comments_are_kept_or_named(tmp_path: Path) -> None:
    image = load(b"P5 # by hand\n# second\n3 1\n255\n\1\2\3")
    save(tmp_path / "a.pgm", image)
    assert (tmp_path / "a.pgm").read_bytes() == b"P5\n# by hand\n# second\n3 1\n255\n\1\2\3"
    assert load(tmp_path / "a.pgm").pixels[..., 0].tolist() == [[1, 2, 3]]
    with pytest.warns(LossWarning, match="PNG cannot hold the source's comment"):
        save(tmp_path / "a.png", image)


def test_what_follows_the_pixels_is_named(tmp_path: Path) -> None:
    one = b"P5 1 1 255\n\1"
    with pytest.warns(LossWarning, match="more images behind the first"):
        save(tmp_path / "a.pgm", load(one + one))
    with pytest.warns(LossWarning, match="4 bytes behind its end"):
        save(tmp_path / "a.pgm", load(one + b"more"))
