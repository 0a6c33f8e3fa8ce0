from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import evaluate
from hyperacuity.errors import UsageError
from hyperacuity.evaluate import published, report
from hyperacuity.zoo import Card

CLASSIC = evaluate.protocol("classic")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of two pictures, one of them grey, of odd sizes."""
    y, x = np.mgrid[0:61, 0:83]
    waves = (128 + 100 * np.sin(x / 3) * np.cos(y / 5)).astype(np.uint8)
    (tmp_path / "Waves").mkdir()
    PIL.Image.fromarray(waves).save(tmp_path / "Waves/grey.png")
    PIL.Image.fromarray(np.stack([waves, waves.T[:61].repeat(2, 1)[:, :83], 255 - waves], -1)).save(
        tmp_path / "Waves/rgb.png"
    )
    return tmp_path / "Waves"


@pytest.mark.parametrize(
    ("name", "scale", "psnr", "ssim"),
    [("Set5", 2, 33.66, 0.9299), ("Set5", 3, 30.39, 0.8682), ("Set5", 4, 28.42, 0.8104), ("Set14", 4, 26.00, None)],
)
def test_bicubic_is_the_papers(shared: Path, name: str, scale: int, psnr: float, ssim: float | None) -> None:
    found = evaluate.evaluate(hyperacuity.load("bicubic"), shared / "data/benchmarks" / name, scale, CLASSIC)
    assert found.scores.psnr == pytest.approx(psnr, abs=0.01)
    if ssim is not None:
        assert found.scores.ssim == pytest.approx(ssim, abs=0.0005)


def test_the_default_model_keeps_what_its_card_says(shared: Path) -> None:
    upscaler = hyperacuity.load("fsrcnn")
    card = upscaler.family[0].card
    sets = {
        name: evaluate.evaluate(upscaler, shared / "data/benchmarks" / name, 2, CLASSIC, against_published=True)
        for name in ("Set5", "Set14")
    }
    for name, found in sets.items():
        assert found.scores.psnr == pytest.approx(card.quality[name], abs=0.01)
    row = sets["Set5"]
    assert row.scores.psnr >= 36.7
    assert row.published is not None
    assert row.published.psnr == 37.00
    assert row.scores.lr_psnr > 45


def test_protocols_differ_as_they_must(folder: Path) -> None:
    bicubic = hyperacuity.load("bicubic")
    rows = {name: evaluate.evaluate(bicubic, folder, 2, evaluate.protocol(name)) for name in evaluate.PROTOCOLS}
    assert rows["classic"].pictures == 2
    assert rows["rgb"].scores.psnr < rows["full-range-y"].scores.psnr < rows["classic"].scores.psnr


def test_the_mean_is_over_pictures(folder: Path) -> None:
    bicubic = hyperacuity.load("bicubic")
    every = list(evaluate.samples(bicubic, folder, 3, CLASSIC))
    assert [sample.path.name for sample in every] == ["grey.png", "rgb.png"]
    assert [sample.hr.shape for sample in every] == [(60, 81, 1), (60, 81, 3)]
    row = evaluate.row(bicubic, folder, 3, CLASSIC, [sample.scores for sample in every])
    assert row.scores.psnr == pytest.approx(sum(sample.scores.psnr for sample in every) / 2)


def test_mistakes_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="made for x2, not for x3"):
        evaluate.evaluate(hyperacuity.load("fsrcnn"), folder, 3, CLASSIC)
    with pytest.raises(UsageError, match="Did you mean 'classic'"):
        evaluate.protocol("clasic")
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="no pictures"):
        evaluate.evaluate(hyperacuity.load("bicubic"), tmp_path / "none", 2, CLASSIC)
    (tmp_path / "small").mkdir()
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small/a.png")
    with pytest.raises(UsageError, match="too small"):
        evaluate.evaluate(hyperacuity.load("bicubic"), tmp_path / "small", 2, CLASSIC)


def test_published_figures_are_found_for_what_they_are_of() -> None:
    card = Card("fsrcnn-x3", "fsrcnn", 3, "Y", "none", "none", "none", {"scale": 3, "d": 56, "s": 12, "m": 4})
    assert published.find(replace(card, config={"scale": 3, "d": 32, "s": 5, "m": 1}), "Set5", 3) is None
    found = published.find(card, "Set5", 3)
    assert found is not None
    assert (found.psnr, found.ssim) == (33.16, 0.9140)
    assert "1608.00367" in found.source
    assert published.find(card, "Kodak24", 3) is None
    assert all(20 < figure.psnr < 45 for figure in published.table().values())
    assert all(figure.source for figure in published.table().values())


def test_tables_for_programs_and_for_people(folder: Path) -> None:
    row = evaluate.evaluate(hyperacuity.load("bicubic"), folder, 2, CLASSIC, against_published=True)
    line = next(csv.DictReader(io.StringIO(report.to_csv([row]))))
    assert (line["model"], line["set"], line["scale"], line["published_psnr"]) == ("bicubic", "Waves", "2", "")
    text = report.to_markdown([row])
    assert "| bicubic | Waves | 2 | classic | 2 |" in text
    assert "published" not in text  # a column without a figure
    assert "Protocol classic: luma of BT.601" in text


def test_a_comparison_shows_where_results_differ_most() -> None:
    hr = np.zeros((200, 300, 3), np.uint8)
    wrong: Any = hr.copy()
    wrong[130:190, 230:290] = 200
    sheet = report.comparison(hr[::2, ::2], [("wrong", wrong)], hr, detail=64)
    assert sheet.size == (3 * 128 + 2 * report.GAP, 128 + report.BAR)
    panel = np.asarray(sheet)[report.BAR :, 128 + report.GAP : 256 + report.GAP]
    assert panel.mean() > 100
