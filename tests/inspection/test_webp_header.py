from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest

from hyperacuity.inspection import inspect
from hyperacuity.inspection.webp_header import read_webp_quality
from tests.inspection import made


@pytest.mark.parametrize("quality", [0, 25, 50, 75, 90, 100])
@pytest.mark.parametrize("method", [0, 4])
def test_the_quality_is_near_the_one_that_was_asked_for(quality: int, method: int) -> None:
    """Not equal to it: the encoder gives each segment a quantiser by its content."""
    found = read_webp_quality(made.webp(made.photo(), quality=quality, method=method))
    assert found == pytest.approx(quality, abs=10)


def test_an_extended_file_and_an_animation_state_it_too(tmp_path: Path) -> None:
    pixels = made.photo(96, 128)
    plain = read_webp_quality(made.webp(pixels, quality=40))
    assert plain is not None
    path = tmp_path / "a.webp"
    path.write_bytes(made.webp(pixels, quality=40, xmp=b"<x:xmpmeta/>"))
    assert inspect(path).webp_quality == read_webp_quality(path) == plain
    file = io.BytesIO()
    images = [PIL.Image.fromarray(made.photo(96, 128, seed)) for seed in (0, 1)]
    images[0].save(file, "WEBP", quality=40, save_all=True, append_images=images[1:])
    assert read_webp_quality(file.getvalue()) == pytest.approx(plain, abs=10)


def test_other_files_have_none() -> None:
    pixels = made.photo(40, 56)
    assert read_webp_quality(made.webp(pixels, lossless=True)) is None
    assert read_webp_quality(made.jpeg(pixels, 40)) is None
    assert read_webp_quality(b"") is None


def test_a_cut_file_never_raises() -> None:
    data = made.webp(made.photo(40, 56), quality=40)
    for length in range(60):
        found = read_webp_quality(data[:length])
        assert found is None or 0 <= found <= 100
