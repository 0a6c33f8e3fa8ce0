from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from hyperacuity.errors import UsageError
from hyperacuity.train.images import TrainingImage
from hyperacuity.train.pairs.making import PairMaker
from hyperacuity.train.pairs.settings import PairsTable
from hyperacuity.train.pairs.stored import VALIDATION, read_shard

SETTINGS = PairsTable(count=3, side=16, validation_per_kind=2, teacher="nearest", seed=4)
SHARES = {"clean": 0.5, "scan": 0.25, "screenshot": 0.25}


class Nearest(nn.Module):
    """A teacher that repeats pixels."""

    scale, channels, multiple = 4, 3, 1

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture
def images(tmp_path: Path) -> list[TrainingImage]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(pixels).resize((120, 90), Image.Resampling.BICUBIC).save(tmp_path / "image.png")
    return [TrainingImage(tmp_path / "image.png", None, 1.0)]


def made(folder: Path, images: Any, scale: int, teacher: nn.Module | None) -> list[int]:
    return list(PairMaker(SETTINGS, SHARES, scale, teacher).make_missing(folder, images, images, 0, 1))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_teacher_of_a_larger_scale_is_shrunk(scale: int, images: list[TrainingImage], tmp_path: Path) -> None:
    assert made(tmp_path / "pairs", images, scale, Nearest())[-1] == 6 + 3
    shard = read_shard(tmp_path / "pairs/shard-00000", with_teacher=True)
    assert shard.lr.shape == (3, 16, 16, 3)
    assert shard.teacher.shape == shard.truth.shape == (3, 16 * scale, 16 * scale, 3)
    shrunk = shard.teacher.reshape(3, 16, scale, 16, scale, 3).mean((2, 4))
    assert np.abs(shrunk - shard.lr).mean() < (1 if scale == 4 else 8)  # bicubic sharpens edges between pixels


def test_validation_has_every_kind_equally_often(images: list[TrainingImage], tmp_path: Path) -> None:
    made(tmp_path / "pairs", images, 2, None)
    assert read_shard(tmp_path / "pairs" / VALIDATION, with_teacher=False).kinds == [*SHARES, *SHARES]
    assert not (tmp_path / "pairs/shard-00000/teacher.npy").exists()


def test_a_pair_can_be_cut_out_of_its_image_again(images: list[TrainingImage], tmp_path: Path) -> None:
    made(tmp_path / "pairs", images, 2, None)
    shard = read_shard(tmp_path / "pairs" / VALIDATION, with_teacher=False)
    with (tmp_path / "pairs" / VALIDATION / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, truth in zip(rows, shard.truth, strict=True):
        if row["kind"] == "clean":
            assert row["file"].endswith("/image.png")
            top, left = int(row["top"]), int(row["left"])
            # The image has 90 rows and the window 96, so that it was enlarged a little.
            assert truth.shape == (32, 32, 3)
            assert top + 32 <= 96
            assert left + 32 <= 128


def test_an_interrupted_making_continues_with_the_same_pairs(images: list[TrainingImage], tmp_path: Path) -> None:
    made(tmp_path / "whole", images, 2, Nearest())
    partial = PairMaker(SETTINGS, SHARES, 2, Nearest()).make_missing(tmp_path / "cut", images, images, 0, 1)
    next(partial)
    partial.close()
    assert not (tmp_path / "cut" / VALIDATION).exists()
    made(tmp_path / "cut", images, 2, Nearest())
    for path in sorted((tmp_path / "whole").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes()
    assert made(tmp_path / "cut", images, 2, Nearest()) == []


def test_a_teacher_of_another_scale_raises() -> None:
    with pytest.raises(UsageError, match=r"pairs\.teacher: nearest is for x4 and 3 channels, not for x3"):
        PairMaker(SETTINGS, SHARES, 3, Nearest())


def test_the_sources_of_pairs_are_drawn_by_their_number(images: list[TrainingImage]) -> None:
    maker = PairMaker(SETTINGS, SHARES, 2)
    (first, lr, _), (again, same, _) = (maker.pair(5, images, 1) for _ in range(2))
    assert first == again
    assert torch.equal(lr, same)
    assert not torch.equal(lr, maker.pair(6, images, 1)[1])
