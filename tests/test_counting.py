"""Counts in sentences."""

from __future__ import annotations

import pytest

from hyperacuity.counting import counted


@pytest.mark.parametrize(
    ("count", "words", "wanted"),
    [
        (0, ("frame",), "0 frames"),
        (1, ("frame",), "1 frame"),
        (2, ("frame",), "2 frames"),
        (1, ("image is", "images are"), "1 image is"),
        (2147483649, ("frame",), "2147483649 frames"),
        (2.5, ("file",), "2.5 files"),
        (3, ("image is", "images are"), "3 images are"),
    ],
)
def test_one_is_singular(count: float, words: tuple[str, ...], wanted: str) -> None:
    assert counted(count, *words) == wanted
