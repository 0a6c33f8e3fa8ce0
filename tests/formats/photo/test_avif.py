"""AVIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hyperacuity import formats
from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats import LossWarning
from hyperacuity.image import Image
from tests.formats.samples import (
    encoded,
    saved,
)


def test_avif_keeps_12_bits(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :64]
    image = Image.from_pixels(np.stack([x * 1000, y * 2000, x * 500], axis=2).astype(np.uint16))
    with pytest.warns(LossWarning, match="12 bits"):
        back = saved(tmp_path / "a.avif", image, quality=100)
    assert back.header.levels == (0, 65520)
    assert np.abs(back.pixels.astype(int) - image.pixels).mean() < 60


def test_animated_avif_is_refused() -> None:
    data = encoded("AVIF")
    with pytest.raises(UnsupportedFormat, match="convert it to WebP"):
        formats.read(data[:8] + b"avis" + data[12:])
