from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from PIL import features

from hyperacuity.inspection import inspect
from hyperacuity.inspection.avif_header import read_avif_quality
from tests.inspection import made

pytestmark = pytest.mark.skipif(not features.check("avif"), reason="Pillow has no AVIF here")


def avif(pixels: made.Pixels, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "AVIF", speed=10, **options)
    return file.getvalue()


@pytest.mark.parametrize("quality", [5, 20, 40, 60, 75, 90])
def test_the_quality_is_near_the_one_that_was_asked_for(quality: int) -> None:
    """Not equal to it: the encoder takes other steps for images than for frames of videos."""
    assert read_avif_quality(avif(made.photo(96, 128), quality=quality)) == pytest.approx(quality, abs=12)


@pytest.mark.parametrize(
    "options",
    [{"subsampling": "4:4:4"}, {"subsampling": "4:0:0"}, {"tile_rows": 1, "tile_cols": 2}, {"range": "limited"}],
)
def test_every_form_of_the_header_is_read(options: dict[str, Any]) -> None:
    pixels = made.photo(300, 900)
    assert read_avif_quality(avif(pixels, quality=40, **options)) == read_avif_quality(avif(pixels, quality=40))


def test_alpha_an_animation_and_a_path_state_it_too(tmp_path: Path) -> None:
    pixels = made.photo(96, 128)
    plain = read_avif_quality(avif(pixels, quality=40))
    assert plain is not None
    path = tmp_path / "a.avif"
    image = PIL.Image.fromarray(pixels)
    image.putalpha(image.getchannel(0))
    image.save(path, quality=40, speed=10)
    assert inspect(path).avif_quality == read_avif_quality(path) == plain
    others = [PIL.Image.fromarray(made.photo(96, 128, seed)) for seed in (1, 2)]
    moving = read_avif_quality(avif(pixels, quality=40, save_all=True, append_images=others))
    assert moving == pytest.approx(40, abs=12)


def test_other_files_have_none() -> None:
    pixels = made.photo(40, 56)
    assert read_avif_quality(avif(pixels, quality=100)) is None
    assert read_avif_quality(made.jpeg(pixels, 40)) is None
    assert read_avif_quality(b"") is None


def test_a_cut_or_damaged_file_never_raises() -> None:
    data = avif(made.photo(40, 56), quality=40)
    for length in range(0, len(data), 3):
        found = read_avif_quality(data[:length])
        assert found is None or 0 <= found <= 100
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        found = read_avif_quality(bytes(damaged))
        assert found is None or 0 <= found <= 100
