"""From an author's checkpoint to the published figure: import, then evaluate."""

from __future__ import annotations

from pathlib import Path

import pytest

import hyperacuity
from hyperacuity import importer
from hyperacuity.evaluate import evaluate_folder
from hyperacuity.metrics.selection import select_metrics

slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "scale", "figures"),
    [
        ("SRCNN_9-1-5_official_x2_range255.safetensors", 2, {"Set5": 36.33}),
        ("FSRCNN_yjn870_x2.pth", 2, {"Set5": 37.11}),
        ("FSRCNN_yjn870_x4.pth", 4, {"Set5": 30.50}),
        pytest.param("VDSR_official.safetensors", 2, {"Set5": 37.53}, marks=slow),
        pytest.param("VDSR_official.safetensors", 3, {"Set5": 33.66}, marks=slow),
        pytest.param("VDSR_official.safetensors", 4, {"Set5": 31.35}, marks=slow),
        pytest.param("IMDN_x2.pth", 2, {"Set5": 38.00}, marks=slow),
        pytest.param("IMDN_x3.pth", 3, {"Set5": 34.36}, marks=slow),
        pytest.param("IMDN_x4.pth", 4, {"Set5": 32.21, "Set14": 28.58, "B100": 27.56}, marks=slow),
        pytest.param("RRDB_PSNR_x4_fp16.safetensors", 4, {"Set5": 32.73}, marks=slow),
    ],
)
def test_imported_weights_reach_their_published_figures(
    name: str, scale: int, figures: dict[str, float], shared: Path, tmp_path: Path
) -> None:
    card = importer.convert(shared / "weights" / name, tmp_path)
    upscaler = hyperacuity.load(tmp_path / f"{card.name}.safetensors")
    for folder, figure in figures.items():
        row = evaluate_folder(upscaler, shared / "data/benchmarks" / folder, scale, metrics=select_metrics(["psnr"]))
        assert row.scores["psnr"] == pytest.approx(figure, abs=0.02)
