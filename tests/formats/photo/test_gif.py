"""GIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hyperacuity import formats
from hyperacuity.image import Image
from tests.formats.samples import (
    Animated,
    noise,
    save,
)


def test_frames_of_gif_have_few_colours_exactly(tmp_path: Path) -> None:
    given_frames = [
        Image.from_pixels(np.kron(noise(3, np.uint8, 3, 5, seed), np.ones((4, 4, 1), np.uint8)), duration=0.1)
        for seed in (1, 2)
    ]
    save(tmp_path / "a.gif", *given_frames, like=Animated(2, 0))
    with formats.read(tmp_path / "a.gif") as source:
        for one, other in zip(source, given_frames, strict=True):
            assert np.abs(one.pixels[..., :3].astype(int) - other.pixels).max() <= 8
