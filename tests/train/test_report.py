from __future__ import annotations

from pathlib import Path

import PIL.Image

from hyperacuity.train import Log, read_recipe, report, train


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
