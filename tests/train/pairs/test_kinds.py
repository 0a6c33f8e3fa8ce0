from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from hyperacuity.train.pairs.kinds import BORDER, KindsValidation, write_quality, write_references
from hyperacuity.train.pairs.settings import LpipsFiles
from hyperacuity.train.pairs.stored import VALIDATION, Shard, read_shard
from tests.train.pairs.folders import store

KINDS = ["clean", "web", "clean"]


class Grey(nn.Module):
    """The same grey everywhere, at x2."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.full((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]), 200.4 / 255)


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    store(tmp_path / "pairs", KINDS)
    return read_shard(tmp_path / "pairs" / VALIDATION, with_teacher=True)


def validation_of(shard: Shard, lpips: LpipsFiles | None = None) -> KindsValidation:
    return KindsValidation(shard, scale=2, lpips=lpips, device=torch.device("cpu"), has_teacher=True)


def psnr(made: float | np.ndarray, truth: np.ndarray) -> float:
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    error = np.broadcast_to(made, truth.shape)[inner].astype(float) - truth[inner]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_psnr_is_that_of_8_bit_rgb_without_borders_by_kind(shard: Shard) -> None:
    quality, sheet = validation_of(shard).measure(Grey())
    each = [psnr(200, truth) for truth in shard.truth]
    assert quality == {
        "psnr": pytest.approx(np.mean(each), abs=1e-3),
        "psnr clean": pytest.approx((each[0] + each[2]) / 2, abs=1e-3),
        "psnr web": pytest.approx(each[1], abs=1e-3),
    }
    assert sheet.shape == (2 * 24, 2 * 4 * 24, 3)  # a row for each kind; two samples of four columns
    assert (sheet[:24, 24:48] == 200).all()
    assert np.array_equal(sheet[:24, 48:72], shard.teacher[0])
    assert np.array_equal(sheet[24:, 72:96], shard.truth[1])


def test_references_are_written_once_and_rewound_rows_replaced(shard: Shard, tmp_path: Path) -> None:
    validation = validation_of(shard)
    write_references(validation, tmp_path)
    rows = {row["name"]: row for row in _rows(tmp_path / "reference.csv")}
    assert float(rows["teacher"]["psnr web"]) == pytest.approx(psnr(shard.teacher[1], shard.truth[1]), abs=1e-3)
    for step in (2, 4, 2):
        write_quality(tmp_path, step, *validation.measure(Grey()))
    assert [row["step"] for row in _rows(tmp_path / "kinds.csv")] == ["2"]
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (2 * 4 * 24, 2 * 24)


def test_lpips_is_measured_if_its_files_are_given(shard: Shard, shared: Path) -> None:
    weights = shared / "weights"
    files = LpipsFiles(squeezenet=weights / "squeezenet1_1.safetensors", linear=weights / "lpips_squeeze_linear.pth")
    lr, teacher, truth = (each.repeat(2, 1).repeat(2, 2) for each in shard[1:])
    large = Shard(shard.kinds, lr, teacher, truth)
    quality, _ = validation_of(large, files).measure(Grey())
    assert 0 < quality["lpips"] < 2
    assert {"lpips clean", "lpips web"} <= quality.keys()
