"""Animations and pages in all formats that hold them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import formats
from tests.formats.samples import (
    Animated,
    frames,
    save,
)


@pytest.mark.parametrize("loop", [0, 1, 3])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_animations_survive_writing_and_reading(suffix: str, channels: int, loop: int, tmp_path: Path) -> None:
    given_frames = frames(channels)
    path = tmp_path / f"a{suffix}"
    save(path, *given_frames, like=Animated(4, loop))
    with formats.read(path) as source:
        assert (source.frames, source.loop, source.suffix) == (4, loop, suffix)
        back = list(source)
        assert len(list(source)) == 4  # can be read again
    assert [image.header.duration for image in back] == [0.05, 0.1, 0.15, 0.2]
    assert os.listdir(tmp_path) == [path.name]
    if suffix != ".gif":
        for one, other in zip(back, given_frames, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
    with PIL.Image.open(path) as picture:
        assert picture.n_frames == 4  # type: ignore[attr-defined]
