from __future__ import annotations

from pathlib import Path

import pytest

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
