from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import zoo
from hyperacuity.train import Log, TrainingProgress, read_recipe, report, train
from hyperacuity.train.report import smooth


def test_a_report_states_the_facts_of_a_run(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Log(folder) as log:
        for progress in train(read_recipe(recipe), folder, device="cpu"):
            if progress.losses:
                log.write(progress)
    path = report(folder, recipe, [folder / "tiny-x2.safetensors"], "| a | table |")
    text = path.read_text()
    for fact in (
        "fsrcnn",
        "1,105 parameters",
        "12, 5",
        read_recipe(recipe).hash(),
        "dB at best",
        "| time taken | 0 min",
        "| a | table |",
    ):
        assert fact in text
    with PIL.Image.open(folder / "curves.png") as image:
        assert image.width > 600
    assert not list(folder.glob("*.new"))


def test_a_run_without_a_log_has_a_report(recipe: Path, tmp_path: Path) -> None:
    list(train(read_recipe(recipe), tmp_path / "run", device="cpu"))
    text = report(tmp_path / "run", recipe, [tmp_path / "run/tiny-x2.safetensors"], None).read_text()
    assert "curves.png" not in text


@pytest.fixture
def model() -> Path:
    """Any model; the curves come from the log."""
    path = zoo.models()["fsrcnn-x2"].safetensors
    assert path is not None
    return path


def logged(folder: Path, *steps: tuple[dict[str, float], float | None]) -> None:
    with Log(folder) as log:
        for n, (losses, validation) in enumerate(steps, 1):
            log.write(TrainingProgress(50 * n, 999, losses, 1e-3, 0.01, validation, 0.0))


def shown(folder: Path) -> tuple[int, int]:
    """Return the height of the curves, and the number of colours other than grey in them."""
    with PIL.Image.open(folder / "curves.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    coloured = pixels[np.ptp(pixels, axis=2) > 60]
    return len(pixels), len(np.unique(coloured // 32, axis=0))


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([({"l1": 0.1}, None)], "| validation | - |"),
        ([({"l1": 0.1}, 30.0)], "30.000 dB at best, 30.000 dB at the end"),
        ([({"l1": 0.1}, 30.0), ({"l1": 0.1}, math.nan), ({"l1": 0.1}, 29.0)], "30.000 dB at best, 29.000 dB at"),
        ([({"l1": 0.1}, math.nan)] * 3, "| validation | - |"),
        ([({"l1": math.nan}, None)] * 3, "| validation | - |"),
        ([({"l1": 0.1}, None), ({"l1": math.inf}, None), ({"l1": 0.1}, None)], "| validation | - |"),
        ([({"l1": 0.1, "adversary": -0.5}, None), ({"l1": 0.1, "adversary": 0.4}, None)], "| validation | - |"),
    ],
)
def test_every_log_gives_curves(
    steps: list[tuple[dict[str, float], float | None]], text: str, model: Path, tmp_path: Path
) -> None:
    logged(tmp_path, *steps)
    assert text in report(tmp_path, tmp_path / "a.toml", [model], None).read_text()
    if any(math.isfinite(value) for losses, _ in steps for value in losses.values()):
        assert shown(tmp_path)[1] > 0


def test_no_panel_is_drawn_for_missing_validations(model: Path, tmp_path: Path) -> None:
    heights = []
    for name, validation in (("with", 30.0), ("without", None)):
        logged(tmp_path / name, ({"l1": 0.1}, validation), ({"l1": 0.05}, validation))
        report(tmp_path / name, tmp_path / "a.toml", [model], None)
        heights.append(shown(tmp_path / name)[0])
    assert heights[0] > heights[1]


def test_a_smoothed_curve_keeps_a_straight_line_and_both_its_ends() -> None:
    line = np.linspace(3.0, 1.0, 1001)
    np.testing.assert_allclose(smooth(line), line, atol=1e-9)
    noisy = line + np.random.default_rng(0).normal(0, 0.1, 1001)
    assert np.abs(smooth(noisy) - line)[20:-20].mean() < 0.03
    line[[5, 300]] = np.nan, np.inf
    assert np.isfinite(smooth(line)).all()
    assert np.isnan(smooth(np.full(4, np.nan))).all()
