from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity.resize import resize
from tests.cli import process
from tests.video.videos import make, moving_frames


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
        pixels = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
        PIL.Image.fromarray(pixels).resize((48, 48), PIL.Image.Resampling.BICUBIC).save(tmp_path / name / "p.png")
    return tmp_path


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return process.run("evaluate", *arguments, folder=folder)


def test_several_models_sets_and_scales_in_one_table(sets: Path) -> None:
    result = run("-n", "bicubic", "lanczos", "--data", "A", "B", "--scale", "2", "3", "--csv", "t.csv",
                 "--markdown", "t.md", "--images", "shown", folder=sets)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert len((sets / "t.csv").read_text().splitlines()) == 1 + 2 * 2 * 2
    assert "Protocol classic" in result.stdout
    assert "Protocol classic" in (sets / "t.md").read_text()
    result = run("--data", "A", "-n", "acute-50k", "--plot", "p.png", "--per-image", "each.csv", folder=sets)
    assert result.returncode == 0, result.stderr
    assert (sets / "p.png").read_bytes().startswith(b"\x89PNG")
    assert len((sets / "each.csv").read_text().splitlines()) == 1 + 2  # bicubic comes with a plot
    assert {path.name for path in (sets / "shown").iterdir()} == {f"{s}-p-x{n}.png" for s in "AB" for n in (2, 3)}


def test_videos_are_sets_and_are_compared(sets: Path) -> None:
    make(sets / "video.mkv", moving_frames(4, 48, 64))
    result = run("-n", "bicubic", "--data", "video.mkv", "A", "--result", "video.mkv", folder=sets)
    assert result.returncode == 1
    assert "--result is compared with one folder or one video" in result.stderr
    result = run("-n", "bicubic", "--data", "video.mkv", "--result", "video.mkv", "--csv", "t.csv", folder=sets)
    assert result.returncode == 0, result.stderr
    with (sets / "t.csv").open() as file:
        model, same = csv.DictReader(file)
    assert (model["model"], model["set"], model["images"]) == ("bicubic", "video.mkv", "4")
    assert float(model["flicker"]) > 0
    assert (same["model"], same["psnr"], same["flicker"]) == ("video.mkv", "inf", "0.000")
    assert "Flicker: of videos" in result.stdout
    both = run("-n", "bicubic", "--data", "A", "video.mkv", "--frames", "2", "--csv", "u.csv", folder=sets)
    assert both.returncode == 0, both.stderr
    assert "flicker" in (sets / "u.csv").read_text().splitlines()[0]


def test_a_folder_of_finished_images_is_measured_as_a_model_is(sets: Path) -> None:
    for name in ("a", "b"):
        shutil.copy(sets / "A/p.png", sets / f"A/{name}.png")
    with PIL.Image.open(sets / "A/p.png") as hr:
        width, height = hr.width // 2 * 2, hr.height // 2 * 2
        lr = resize(np.asarray(hr)[:height, :width], size=(height // 2, width // 2))
    (sets / "SR").mkdir()
    for name in ("a", "b", "p"):
        PIL.Image.fromarray(resize(lr, size=(height, width))).save(sets / f"SR/{name}_x2_SR.png")
    result = run("-n", "bicubic", "--data", "A", "--result", "SR", "--protocol", "rgb", "--csv", "t.csv", folder=sets)
    assert result.returncode == 0, result.stderr
    with (sets / "t.csv").open() as file:
        bicubic, finished = csv.DictReader(file)
    assert (bicubic["model"], finished["model"], finished["images"]) == ("bicubic", "SR", "3")
    assert float(finished["psnr"]) == pytest.approx(float(bicubic["psnr"]), abs=0.02)
    assert finished["seconds_per_megapixel"] == ""
    cut = sets / "SR/b_x2_SR.png"
    cut.write_bytes(cut.read_bytes()[:-99])
    result = run("--data", "A", "--result", "SR", "--csv", "u.csv", "--images", "shown", folder=sets)
    assert result.returncode == 1
    assert "3 scored, 1 left out: " in result.stderr
    assert "b_x2_SR.png" in result.stderr
    with (sets / "u.csv").open() as file:
        assert [row["images"] for row in csv.DictReader(file)] == ["2"]
    PIL.Image.new("RGB", (9, 9)).save(cut)
    result = run("--data", "A", "--result", "SR", folder=sets)
    assert (result.returncode, "b_x2_SR.png has 9 x 9 pixels" in result.stderr) == (1, True)


def test_damaged_images_are_named_and_the_others_scored(sets: Path) -> None:
    (sets / "A/cut.png").write_bytes((sets / "A/p.png").read_bytes()[:-99])
    (sets / "A/IMG.PSD").write_bytes(b"8BPS\0\1")
    for name in ("._p.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (sets / "A" / name).write_bytes(b"\0\5\26\7")
    result = run("-n", "bicubic", "--data", "A", "--csv", "t.csv", folder=sets)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("1 scored, 2 left out: ")
    assert "cut.png" in result.stderr
    assert "IMG.PSD is a Photoshop document" in result.stderr
    with (sets / "t.csv").open() as file:
        assert [row["images"] for row in csv.DictReader(file)] == ["1"]
    (sets / "A/p.png").unlink()
    result = run("-n", "bicubic", "--data", "A", folder=sets)
    assert (result.returncode, "none of the 2 images in A can be read" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none"], "there is no folder none"),
        (["--data", "A", "-n", "acute-3k", "--scale", "3"], "made for x2"),
        (["--data", "A", "--protocol", "clasic"], "Did you mean 'classic'"),
        (["--data", "A", "--against", "the odds"], "the only choice is published"),
        (["--data", "A", "--csv", "A/p.png"], "one of the files that are measured"),
        (["--data", "A", "--csv", "none/t.csv"], "there is no folder none"),
        (["--data", "A", "--csv", "t", "--markdown", "t"], "two results would be written to t"),
        (["--data", "A", "--images", "none/shown"], "there is no folder none"),
        (["--data", "A", "--images", "A/shown"], "lies in a measured set"),
        (["--data", "A", "--plot", "p.gif"], "ends in .png"),
        (["--data", "A", "--metrics", "lpips"], "lpips needs its weights"),
        (["--data", "A", "--lr", "A", "B"], "--lr has 2 folders and --data 1"),
        (["--data", "A", "-n", "bicubic", "bicubic"], "given twice"),
        (["--data", "A", "--result", "A"], "holds the HR images themselves"),
        (["--data", "A", "--result", "A/p.png"], "give two folders of images, or two videos"),
        (["--data", "A", "--result", "B", "--scale", "2", "3"], "--result has one scale"),
        (["--data", "A", "--metrics", "flicker"], "between the frames of a video"),
        (["--data", "A/p.png"], "there is no folder A/p.png"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(sets: Path, arguments: list[str], message: str) -> None:
    before = sorted(sets.rglob("*"))
    result = run(*arguments, folder=sets)
    assert result.returncode == 1
    assert message in result.stderr
    assert sorted(sets.rglob("*")) == before


def test_brackets_in_the_name_of_a_set_stay(sets: Path) -> None:
    (sets / "set [bold]").mkdir()
    for path in sets.glob("*/*.png"):
        (sets / "set [bold]" / path.name).write_bytes(path.read_bytes())
    result = run("-n", "bicubic", "--data", "set [bold]", folder=sets)
    assert (result.returncode, result.stderr) == (0, "")
    assert "set [bold]" in result.stdout
