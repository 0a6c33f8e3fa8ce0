from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity.errors import UsageError
from hyperacuity.train import Log, preview, read_recipe, report, train


def test_a_page_tells_what_was_done(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Log(folder) as log:
        for progress in train(read_recipe(recipe), folder, device="cpu"):
            if progress.losses:
                log.write(progress)
    path = report(folder, recipe, [folder / "tiny-x2.safetensors"], "| a | table |")
    text = path.read_text()
    for fact in ("fsrcnn", "1,105 parameters", "12, 5", read_recipe(recipe).hash(), "dB at best", "| a | table |"):
        assert fact in text
    with PIL.Image.open(folder / "curves.png") as picture:
        assert picture.width > 600
    assert not list(folder.glob("*.new"))


def test_a_training_without_a_log_has_a_page_too(recipe: Path, tmp_path: Path) -> None:
    list(train(read_recipe(recipe), tmp_path / "run", device="cpu"))
    text = report(tmp_path / "run", recipe, [tmp_path / "run/tiny-x2.safetensors"], None).read_text()
    assert "curves.png" not in text


@pytest.mark.parametrize("kind", ["bicubic", "blur-bicubic", "chain"])
def test_a_preview_shows_pairs(kind: str, recipe: Path, tmp_path: Path) -> None:
    PIL.Image.radial_gradient("L").resize((400, 300)).save(tmp_path / "train/large.png")
    preview(read_recipe(recipe, {"degradation": {"kind": kind}, "data.rescale": [1.0]}), tmp_path / "sheet.png")
    with PIL.Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (1192, 792)
        left, right = (np.asarray(sheet)[:192, x : x + 192] for x in (0, 192))
    assert not np.array_equal(left[::2, ::2], left[1::2, 1::2])
    assert np.array_equal(right[::2, ::2], right[1::2, 1::2])
    assert right.std() > 5
    with pytest.raises(UsageError, match="cannot be written"):
        preview(read_recipe(recipe, {"data.rescale": [1.0]}), tmp_path / "nowhere/sheet.png")
