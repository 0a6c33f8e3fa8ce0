"""Sheets of previews."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hyperacuity.pipeline.scale_bar import Length, make_sheet


def sheet(length: Length | None) -> bytes:
    half = np.zeros((40, 60, 1), np.uint8)
    return make_sheet(half, half, length, ("bicubic", "acute"), "rms 1").tobytes()


def test_a_length_is_drawn() -> None:
    assert sheet(Length(0.5, "{:g} mm".format)) != sheet(None)


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_length_has_no_bar(step: float) -> None:
    """Spacings come from files, which may state anything."""
    assert sheet(Length(step, "{:g} mm".format)) == sheet(None)
