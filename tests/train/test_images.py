from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hyperacuity.datasets import LeftOutWarning
from hyperacuity.errors import UsageError
from hyperacuity.train import images
from hyperacuity.train.images import TrainingImage


def test_images_are_set_aside_evenly(tmp_path: Path) -> None:
    def named(count: int) -> list[TrainingImage]:
        return [TrainingImage(tmp_path / f"{n:03}.png", None, rescale) for n in range(count) for rescale in (1.0, 0.5)]

    assert [source.hr.stem for source in images.set_aside(named(35))] == ["000", "011", "023"]
    assert all(source.rescale == 1 for source in images.set_aside(named(35)))
    assert len(images.set_aside(named(900))) == 24
    assert len(images.set_aside(named(2))) == 1
    with pytest.raises(UsageError, match=r"000\.png is the only image, so that none is left for validation"):
        images.set_aside(named(1))


def test_images_whose_headers_cannot_be_read_are_left_out_and_named(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "hr/a.png", "hr/b.png", "lr/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8) if name.startswith("hr") else (4, 4)).save(tmp_path / name)
    for name in ("c.png", "._a.png", "Thumbs.db", "lr/b.png"):
        (tmp_path / name).write_bytes(b"\0\5\26\7")
    (tmp_path / "lr/.DS_Store").touch()
    with pytest.warns(LeftOutWarning, match=r"1 image is left out: .*lr/b\.png"):
        assert images.find_images([tmp_path / "hr"], [tmp_path / "lr"], [1.0], 2) == [
            TrainingImage(tmp_path / "hr/a.png", tmp_path / "lr/a.png", 1.0)
        ]
    with pytest.warns(LeftOutWarning, match=r"2 images are left out: .*c\.png.*; .*lr/b\.png"):
        assert len(images.find_images([tmp_path], [], [1.0], 2)) == 5


def test_lr_of_the_wrong_size_is_an_error_before_a_run(tmp_path: Path) -> None:
    for name, side in (("hr/a.png", 8), ("lr/a.png", 4)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (side, side)).save(tmp_path / name)
    assert images.find_images([tmp_path / "hr"], [tmp_path / "lr"], [1.0], 2)
    with pytest.raises(UsageError, match=r"lr/a\.png has 4 x 4 pixels, but .*hr/a\.png with 8 x 8 needs 2 x 2 at x4"):
        images.find_images([tmp_path / "hr"], [tmp_path / "lr"], [1.0], 4)
