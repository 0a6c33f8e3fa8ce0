from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import datasets
from hyperacuity.errors import DamagedFile, MissingDependency, UsageError
from hyperacuity.evaluate import evaluate_folder
from hyperacuity.metrics.protocols import CLASSIC, PROTOCOLS
from tests.evaluate.settings import load, make_setting


def test_lr_images_can_be_provided(image_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    for name in ("grey", "rgb"):
        image = datasets.read_image(image_folder / f"{name}.png")
        small = datasets.pair(image, 2).lr
        PIL.Image.fromarray(small.squeeze()).save(tmp_path / f"small/{name}x2.png")
    bicubic = load("bicubic")
    rgb = PROTOCOLS["rgb"]
    given = evaluate_folder(bicubic, image_folder, 2, rgb, lr=tmp_path / "small")
    assert given.scores == evaluate_folder(bicubic, image_folder, 2, rgb).scores
    assert given.record()["lr"] == "given"
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small/greyx2.png")
    with pytest.raises(UsageError, match=r"greyx2\.png has 9 x 9 pixels, but .* needs 41 x 30 at x2"):
        evaluate_folder(bicubic, image_folder, 2, rgb, lr=tmp_path / "small")
    (tmp_path / "small/greyx2.png").unlink()
    with pytest.raises(UsageError, match="has no LR for grey"):
        evaluate_folder(bicubic, image_folder, 2, rgb, lr=tmp_path / "small")


def test_mistakes_raise_before_anything_is_measured(image_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="made for x2, not for x3"):
        evaluate_folder(load("acute-3k"), image_folder, 3, CLASSIC)
    with pytest.raises(UsageError, match="too small for ms-ssim at x2"):
        make_setting(image_folder, 2, "ms-ssim")
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="no images in"):
        make_setting(tmp_path / "none", 2)
    (tmp_path / "small").mkdir()
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small/a.png")
    with pytest.raises(UsageError, match="too small"):
        make_setting(tmp_path / "small", 2)
    (image_folder / "cut.png").write_bytes((image_folder / "rgb.png").read_bytes()[:-200])
    found = make_setting(image_folder, 2).images
    assert [one.path.name for one in found.left_out] == ["cut.png"]
    assert isinstance(found.left_out[0].error, DamagedFile)
    assert found.count == 2


def test_images_that_need_a_missing_package_are_left_out(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = datasets.read_image

    def read(path: Path) -> datasets.Pixels8:
        if path.name == "rgb.png":
            raise MissingDependency(f"{path} needs another package")
        return real(path)

    monkeypatch.setattr(datasets, "read_image", read)
    found = make_setting(image_folder, 2).images
    assert (found.count, [one.path.name for one in found.left_out]) == (1, ["rgb.png"])
