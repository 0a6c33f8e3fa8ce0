from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hyperacuity.errors import UsageError
from hyperacuity.evaluate import evaluate_folder, measure_images, report, summarise
from hyperacuity.metrics import METRICS, ComparedImages, Metric
from hyperacuity.metrics.protocols import CLASSIC, PROTOCOLS
from hyperacuity.metrics.selection import select_metrics
from tests.evaluate.settings import load, make_setting


@pytest.mark.parametrize(
    ("name", "psnr", "ssim"),
    [
        ("Set5", (33.66, 30.39, 28.42), (0.9299, 0.8682, 0.8104)),
        ("Set14", (30.23, 27.54, 26.00), None),
        pytest.param("B100", (29.56, 27.21, 25.96), None, marks=pytest.mark.slow),
    ],
)
def test_bicubic_matches_the_papers(
    shared: Path, name: str, psnr: tuple[float, ...], ssim: tuple[float, ...] | None
) -> None:
    metrics = select_metrics(["psnr"] if ssim is None else ["psnr", "ssim"])
    for n, scale in enumerate((2, 3, 4)):
        found = evaluate_folder(load("bicubic"), shared / "data/benchmarks" / name, scale, CLASSIC, metrics)
        assert found.scores["psnr"] == pytest.approx(psnr[n], abs=0.015)
        if ssim is not None:
            assert found.scores["ssim"] == pytest.approx(ssim[n], abs=0.0005)


@pytest.mark.parametrize(
    ("model", "least"), [("acute-50k-x2", 37.3), ("acute-50k-x3", 33.3), ("acute-50k-x4", 31.0), ("fsrcnn-x2", 36.9)]
)
def test_models_reach_the_quality_on_their_cards(shared: Path, model: str, least: float) -> None:
    upscaler = load(model)
    card = upscaler.family[0].card
    assert card.scale is not None
    row = evaluate_folder(upscaler, shared / "data/benchmarks/Set5", card.scale, CLASSIC, with_published=True)
    assert row.scores["psnr"] == pytest.approx(card.quality["Set5"], abs=0.01)
    assert row.scores["psnr"] > least
    assert row.scores["lr-psnr"] > 45
    if model == "fsrcnn-x2":
        assert row.published is not None
        assert row.published.psnr == 37.00


def test_protocols_differ_as_expected(image_folder: Path) -> None:
    bicubic = load("bicubic")
    rows = {name: evaluate_folder(bicubic, image_folder, 2, PROTOCOLS[name]) for name in PROTOCOLS}
    assert rows["classic"].count == 2
    psnr = {name: row.scores["psnr"] for name, row in rows.items()}
    assert psnr["rgb"] < psnr["full-range-y"] < psnr["classic"]


def test_a_row_is_the_mean_over_grey_and_coloured_images(image_folder: Path) -> None:
    upscalers = {name: load(name) for name in ("bicubic", "lanczos")}
    how = make_setting(image_folder, 3)
    every = list(measure_images(upscalers, how))
    assert [sample.name for sample in every] == ["grey", "rgb"]
    assert [sample.hr.shape for sample in every] == [(60, 81, 1), (60, 81, 3)]
    assert all(sample.results[name].shape == sample.hr.shape for sample in every for name in upscalers)
    figures = [sample.measurements["lanczos"] for sample in every]
    row = summarise("lanczos", upscalers["lanczos"], how, figures)
    assert row.scores["psnr"] == pytest.approx(sum(one.scores["psnr"] for one in figures) / 2)
    assert row.parameters == 0
    assert row.seconds > 0


def test_lpips_and_ms_ssim_prefer_a_network_to_bicubic(shared: Path) -> None:
    weights = shared / "weights/squeezenet1_1.safetensors", shared / "weights/lpips_squeeze_linear.pth"
    metrics = select_metrics(["ms-ssim", "lpips"], {"lpips": weights})
    found = {
        name: evaluate_folder(load(name), shared / "data/benchmarks/Set5", 4, CLASSIC, metrics).scores
        for name in ("bicubic", "acute-50k")
    }
    assert found["acute-50k"]["lpips"] < found["bicubic"]["lpips"] - 0.05
    assert found["acute-50k"]["ms-ssim"] > found["bicubic"]["ms-ssim"]


def test_a_metric_added_to_the_table_appears_in_an_evaluation(
    monkeypatch: pytest.MonkeyPatch, image_folder: Path
) -> None:
    def mean_error(images: ComparedImages) -> float:
        return float(np.abs(images.result.astype(float) - images.truth).mean())

    toy = Metric(
        "mean-error", "Mean error", higher_is_better=False, digits=3, measure=mean_error, statement="as a test has it"
    )
    monkeypatch.setitem(METRICS, toy.name, toy)
    row = evaluate_folder(load("bicubic"), image_folder, 2, CLASSIC, select_metrics(["mean-error", "psnr"]))
    assert 0 < row.scores["mean-error"] < 255
    text = report.to_markdown([row])
    assert "| images | mean_error | psnr |" in text
    assert f"| {row.scores['mean-error']:.3f} |" in text
    assert "Mean error: as a test has it." in text
    with pytest.raises(UsageError, match=r"no metric 'mean-eror'.*Did you mean 'mean-error'"):
        select_metrics(["mean-eror"])
