from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from hyperacuity.errors import UsageError
from hyperacuity.evaluate import EvaluatedImage, EvaluationRow, Measurement, evaluate_folder, plots, report, sheets
from hyperacuity.metrics.protocols import CLASSIC
from tests.evaluate.settings import load, make_setting


def test_tables_in_csv_and_markdown(image_folder: Path) -> None:
    row = evaluate_folder(load("bicubic"), image_folder, 2, CLASSIC, with_published=True)
    line = next(csv.DictReader(io.StringIO(report.to_csv([row.record()]))))
    assert (line["model"], line["set"], line["scale"], line["published_psnr"]) == ("bicubic", "Waves", "2", "")
    text = report.to_markdown([row])
    assert "| bicubic | Waves | 2 | classic | 2 |" in text
    assert "published" not in text  # a column without a figure
    assert "Protocol classic: luma of BT.601" in text


def test_a_sheet_shows_where_results_differ_most(image_folder: Path) -> None:
    hr = np.zeros((200, 300, 3), np.uint8)
    wrong: Any = hr.copy()
    wrong[130:190, 230:290] = 200
    how = make_setting(image_folder, 2, "psnr")
    sample = EvaluatedImage("a", hr, hr[::2, ::2], {"wrong": wrong}, {"wrong": Measurement({"psnr": 12.345}, 1.0)})
    sheet = sheets.draw_sheet(how, sample, detail=64)
    side = 256
    assert sheet.size == (3 * side + 2 * sheets.GAP, side + sheets.BAR)
    panel = np.asarray(sheet)[sheets.BAR :, side + sheets.GAP : 2 * side + sheets.GAP]
    assert panel.mean() > 100


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_plot_names_every_model(suffix: str, magic: bytes, rows_of_three_models: list[EvaluationRow]) -> None:
    with mpl.rc_context({"svg.fonttype": "none"}):
        content = plots.draw_plot(rows_of_three_models, suffix)
    assert content.startswith(magic)
    if suffix == ".svg":
        names = [row.model for row in rows_of_three_models]
        assert names == ["bicubic", "fsrcnn", "acute-50k"]
        assert all(name in content.decode() for name in (*names, "parameters", "PSNR, dB (higher is better)"))


def test_a_plot_with_another_suffix_raises() -> None:
    with pytest.raises(UsageError, match=r"ends in \.png, \.svg, \.pdf"):
        plots.check_plot(Path("plot.jpg"))
