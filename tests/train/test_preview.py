from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from hyperacuity.errors import UsageError
from hyperacuity.train import preview, read_recipe
from hyperacuity.train.preview import ACROSS, BAR, GAP, contact_sheet
from tests.train.runs import RESTORER


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_has_hr_left_and_lr_right_pixel_by_pixel_under_titles(channels: int) -> None:
    codes = torch.randint(0, 256, (5, channels, 12, 18)) / 255
    pairs = [(hr, hr[:, ::3, ::3]) for hr in codes]
    sheet = np.asarray(contact_sheet(pairs, 3))
    assert sheet.shape == (BAR + 2 * 12 + GAP, 2 * 18 * ACROSS + 2 * GAP * ACROSS - GAP, 3)
    for n, (hr, lr) in enumerate(pairs):
        top, left = BAR + n // ACROSS * (12 + GAP), n % ACROSS * 2 * (18 + GAP)
        theirs = (hr.expand(3, -1, -1) * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(sheet[top : top + 12, left : left + 18], theirs)
        small = (lr.expand(3, -1, -1) * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(sheet[top : top + 12, left + 18 : left + 36], small.repeat(3, 0).repeat(3, 1))
    assert (sheet[:BAR] < 128).any()  # the titles
    assert (sheet[BAR + 12 : BAR + 12 + GAP] == 255).all()


def test_one_pair_makes_a_sheet_of_one_pair() -> None:
    hr = torch.zeros(3, 16, 16)
    assert contact_sheet([(hr, hr[:, ::2, ::2])], 2).size == (2 * 16 + GAP, BAR + 16)


def test_a_network_that_restores_is_shown_images_of_its_own_scale(recipe: Path, tmp_path: Path) -> None:
    config = {**RESTORER["model.config"], "scale": 1}
    preview(read_recipe(recipe, {**RESTORER, "model.config": config}), tmp_path / "sheet.png")
    with PIL.Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape[1] == 2 * (48 + GAP) * ACROSS - GAP
    lr = sheet[BAR : BAR + 48, 48:96].astype(int)
    assert (lr[::2] != lr[1::2]).any()  # single pixels, not squares of 2 x 2


def test_a_sheet_of_small_images_is_small(recipe: Path, tmp_path: Path) -> None:
    preview(read_recipe(recipe), tmp_path / "sheet.png")
    with PIL.Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * (48 + GAP) * ACROSS - GAP, BAR + 4 * (48 + GAP) - GAP)


@pytest.mark.parametrize("kind", ["bicubic", "blur-bicubic", "chain", "everyday"])
def test_a_preview_is_a_png_and_reproducible(kind: str, recipe: Path, tmp_path: Path) -> None:
    PIL.Image.radial_gradient("L").resize((400, 300)).save(tmp_path / "train/large.png")
    record = read_recipe(recipe, {"degradation": {"kind": kind}, "data.rescale": [1.0]})
    sheets = []
    for name in ("a.png", "b.png"):
        preview(record, tmp_path / name)
        with PIL.Image.open(tmp_path / name) as sheet:
            assert sheet.format == "PNG"
            sheets.append(np.asarray(sheet))
    assert np.array_equal(sheets[0], sheets[1])
    left, right = (sheets[0][BAR : BAR + 192, x : x + 192] for x in (0, 192))
    assert np.array_equal(right[::2, ::2], right[1::2, 1::2])
    # Both sides show the same image.
    means = [half.reshape(12, 16, 12, 16, 3).mean((1, 3)) for half in (left, right)]
    assert np.corrcoef(means[0].ravel(), means[1].ravel())[0, 1] > 0.9
    assert not list(tmp_path.glob("*.new"))


def test_a_preview_that_cannot_be_made_raises(recipe: Path, tmp_path: Path) -> None:
    PIL.Image.radial_gradient("L").resize((400, 300)).save(tmp_path / "train/large.png")
    record = read_recipe(recipe, {"data.rescale": [1.0]})
    with pytest.raises(UsageError, match=r"was not written: the folder .* does not exist"):
        preview(record, tmp_path / "nowhere/sheet.png")
    paired = read_recipe(recipe, {"data.rescale": [1.0], "data.lr": [str(tmp_path / "train")]})
    with pytest.raises(UsageError, match="LR images of this recipe are given"):
        preview(paired, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
