from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import PIL.Image
import pytest

import hyperacuity
from hyperacuity import datasets, evaluate
from hyperacuity.errors import DamagedFile, UsageError
from hyperacuity.evaluate import Measured, Sample, Setting, measures, plots, published, report, sets
from hyperacuity.networks import complete_config
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
    ("name", "psnr", "ssim"),
    [
        ("Set5", (33.66, 30.39, 28.42), (0.9299, 0.8682, 0.8104)),
        ("Set14", (30.23, 27.54, 26.00), None),
        pytest.param("B100", (29.56, 27.21, 25.96), None, marks=pytest.mark.slow),
    ],
)
def test_bicubic_is_the_papers(
    shared: Path, name: str, psnr: tuple[float, ...], ssim: tuple[float, ...] | None
) -> None:
    for n, scale in enumerate((2, 3, 4)):
        found = evaluate.evaluate(hyperacuity.load("bicubic"), shared / "data/benchmarks" / name, scale, CLASSIC)
        assert found.scores["psnr"] == pytest.approx(psnr[n], abs=0.015)
        if ssim is not None:
            assert found.scores["ssim"] == pytest.approx(ssim[n], abs=0.0005)


@pytest.mark.parametrize(
    ("model", "least"), [("acute-50k-x2", 37.3), ("acute-50k-x3", 33.3), ("acute-50k-x4", 31.0), ("fsrcnn-x2", 36.9)]
)
def test_the_models_keep_what_their_cards_say(shared: Path, model: str, least: float) -> None:
    upscaler = hyperacuity.load(model)
    card = upscaler.family[0].card
    assert card.scale is not None
    row = evaluate.evaluate(upscaler, shared / "data/benchmarks/Set5", card.scale, CLASSIC, against_published=True)
    assert row.scores["psnr"] == pytest.approx(card.quality["Set5"], abs=0.01)
    assert row.scores["psnr"] > least
    assert row.scores["lr-psnr"] > 45
    if model == "fsrcnn-x2":
        assert row.published is not None
        assert row.published.psnr == 37.00


def test_protocols_differ_as_they_must(folder: Path) -> None:
    bicubic = hyperacuity.load("bicubic")
    rows = {name: evaluate.evaluate(bicubic, folder, 2, evaluate.protocol(name)) for name in evaluate.PROTOCOLS}
    assert rows["classic"].count == 2
    psnr = {name: row.scores["psnr"] for name, row in rows.items()}
    assert psnr["rgb"] < psnr["full-range-y"] < psnr["classic"]


def setting(folder: Path, scale: int, *metrics: str) -> Setting:
    chosen = measures.chosen(metrics or measures.DEFAULT)
    return Setting(sets.find(folder, [scale], chosen), scale, CLASSIC, chosen)


def test_the_mean_is_over_pictures_grey_and_coloured(folder: Path) -> None:
    upscalers = {name: hyperacuity.load(name) for name in ("bicubic", "lanczos")}
    how = setting(folder, 3)
    every = list(evaluate.samples(upscalers, how))
    assert [sample.name for sample in every] == ["grey", "rgb"]
    assert [sample.hr.shape for sample in every] == [(60, 81, 1), (60, 81, 3)]
    assert all(sample.results[name].shape == sample.hr.shape for sample in every for name in upscalers)
    figures = [sample.measured["lanczos"] for sample in every]
    row = evaluate.row("lanczos", upscalers["lanczos"], how, figures)
    assert row.scores["psnr"] == pytest.approx(sum(one.scores["psnr"] for one in figures) / 2)
    assert row.parameters == 0
    assert row.seconds > 0


def test_lr_pictures_may_be_given(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    for name in ("grey", "rgb"):
        picture = datasets.picture(folder / f"{name}.png")
        small = datasets.pair(picture, 2).lr
        PIL.Image.fromarray(small.squeeze()).save(tmp_path / f"small/{name}x2.png")
    bicubic = hyperacuity.load("bicubic")
    rgb = evaluate.protocol("rgb")
    given = evaluate.evaluate(bicubic, folder, 2, rgb, lr=tmp_path / "small")
    assert given.scores == evaluate.evaluate(bicubic, folder, 2, rgb).scores
    assert given.record()["lr"] == "given"
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small/greyx2.png")
    with pytest.raises(UsageError, match=r"greyx2\.png has 9 x 9 pixels, but .* needs 41 x 30 at x2"):
        evaluate.evaluate(bicubic, folder, 2, rgb, lr=tmp_path / "small")
    (tmp_path / "small/greyx2.png").unlink()
    with pytest.raises(UsageError, match="has no LR for grey"):
        evaluate.evaluate(bicubic, folder, 2, rgb, lr=tmp_path / "small")


def test_mistakes_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="made for x2, not for x3"):
        evaluate.evaluate(hyperacuity.load("acute-3k"), folder, 3, CLASSIC)
    with pytest.raises(UsageError, match="Did you mean 'classic'"):
        evaluate.protocol("clasic")
    with pytest.raises(UsageError, match=r"no metric 'pnsr'.*Did you mean 'psnr'"):
        measures.chosen(["pnsr"])
    with pytest.raises(UsageError, match="lpips needs its weights"):
        measures.chosen(["lpips"])
    with pytest.raises(UsageError, match="too small for ms-ssim at x2"):
        setting(folder, 2, "ms-ssim")
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="no pictures"):
        setting(tmp_path / "none", 2)
    (tmp_path / "small").mkdir()
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small/a.png")
    with pytest.raises(UsageError, match="too small"):
        setting(tmp_path / "small", 2)
    (folder / "cut.png").write_bytes((folder / "rgb.png").read_bytes()[:-200])
    with pytest.raises(DamagedFile, match=r"cut\.png"):
        setting(folder, 2)


def test_lpips_and_ms_ssim_rank_as_they_should(shared: Path) -> None:
    weights = shared / "weights/squeezenet1_1.safetensors", shared / "weights/lpips_squeeze_linear.pth"
    metrics = measures.chosen(["ms-ssim", "lpips"], weights)
    found = {
        name: evaluate.evaluate(hyperacuity.load(name), shared / "data/benchmarks/Set5", 4, CLASSIC, metrics).scores
        for name in ("bicubic", "acute-50k")
    }
    assert found["acute-50k"]["lpips"] < found["bicubic"]["lpips"] - 0.05
    assert found["acute-50k"]["ms-ssim"] > found["bicubic"]["ms-ssim"]


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


RECIPES = {"srcnn-x2": "SRCNN", "espcn-x2": "ESPCN", "fsrcnn-x2": "FSRCNN", "vdsr": "VDSR", "esrgan-psnr-x4": "RRDB",
           "edsr-baseline-x2": "EDSR-baseline", "edsr-x2": "EDSR"}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_of_a_papers_recipe_is_held_against_that_paper(name: str) -> None:
    """A card has the whole config, also what its recipe leaves to the defaults."""
    model = tomllib.loads((Path(__file__).parents[2] / f"recipes/{name}.toml").read_text())["model"]
    config = complete_config(model["architecture"], model.get("config", {}))
    card = Card(name, model["architecture"], None, "Y", "", "", "", config)
    found = published.find(card, "Set5", 4 if name.endswith("x4") else 2)
    assert found is not None
    assert found.model == RECIPES[name]


def test_tables_for_programs_and_for_people(folder: Path) -> None:
    row = evaluate.evaluate(hyperacuity.load("bicubic"), folder, 2, CLASSIC, against_published=True)
    line = next(csv.DictReader(io.StringIO(report.to_csv([row.record()]))))
    assert (line["model"], line["set"], line["scale"], line["published_psnr"]) == ("bicubic", "Waves", "2", "")
    text = report.to_markdown([row])
    assert "| bicubic | Waves | 2 | classic | 2 |" in text
    assert "published" not in text  # a column without a figure
    assert "Protocol classic: luma of BT.601" in text


def test_a_comparison_shows_where_results_differ_most(folder: Path) -> None:
    hr = np.zeros((200, 300, 3), np.uint8)
    wrong: Any = hr.copy()
    wrong[130:190, 230:290] = 200
    how = setting(folder, 2, "psnr")
    sample = Sample("a", hr, hr[::2, ::2], {"wrong": wrong}, {"wrong": Measured({"psnr": 12.345}, 1.0)})
    sheet = report.comparison(how, sample, detail=64)
    side = 256
    assert sheet.size == (3 * side + 2 * report.GAP, side + report.BAR)
    panel = np.asarray(sheet)[report.BAR :, side + report.GAP : 2 * side + report.GAP]
    assert panel.mean() > 100


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_plot_has_every_model_in_it(suffix: str, magic: bytes, folder: Path) -> None:
    names = ("bicubic", "fsrcnn", "acute-50k")
    rows = [evaluate.evaluate(hyperacuity.load(name), folder, 2, CLASSIC) for name in names]
    with mpl.rc_context({"svg.fonttype": "none"}):
        content = plots.draw(rows, suffix)
    assert content.startswith(magic)
    if suffix == ".svg":
        assert all(name in content.decode() for name in (*names, "parameters", "PSNR, dB"))


def test_a_plot_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(UsageError, match=r"ends in \.png, \.svg, \.pdf"):
        plots.check(Path("plot.jpg"))
