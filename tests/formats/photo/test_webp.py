"""WebP."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hyperacuity import formats
from tests.formats.samples import (
    gradient,
    load,
    save,
)


def test_webp_is_lossless_unless_its_source_was_lossy(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", gradient())
    save(tmp_path / "a.png", gradient())
    for name, lossless in (("a.jpg", False), ("a.png", True), ("a.webp", True)):
        with formats.read(tmp_path / name) as source:
            (image,) = source
            save(tmp_path / "b.webp", image, like=source)
        assert np.array_equal(load(tmp_path / "b.webp").pixels, image.pixels) == lossless
        (tmp_path / "b.webp").replace(tmp_path / "a.webp")
        save(tmp_path / "a.webp", gradient())
