"""`hyperacuity train`: its output and its files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hyperacuity import datasets, zoo
from tests.cli.process import COMMAND, run

RECIPE = """
steps = 6
validate_every = 3
[model]
name = "tiny-x2"
architecture = "fsrcnn"
config = { scale = 2, d = 8, s = 4, m = 1 }
licence = "CC0-1.0"
trained_on = "noise"
paper = "none"
[data]
train = ["images"]
validation = ["images"]
reports = ["images"]
patch = 8
batch = 2
[losses]
l1 = 1.0
[quick]
steps = 2
validate_every = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "images/a.png")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


def test_training_writes_a_model_a_log_and_a_report(folder: Path) -> None:
    result = run("train", "tiny.toml", folder=folder)
    assert result.returncode == 0, result.stderr
    assert "step 3: " in result.stderr
    assert "try it: hyperacuity upscale -m" in result.stdout
    made = {path.name for path in (folder / "runs/tiny-x2").iterdir()}
    assert made == {
        "checkpoints",
        "curves.png",
        "log.csv",
        "report.md",
        "tensorboard",
        "tiny-x2.onnx",
        "tiny-x2.safetensors",
    }
    assert "| tiny |" in (folder / "runs/tiny-x2/report.md").read_text()
    again = run("train", "tiny.toml", folder=folder)
    assert again.returncode == 1
    assert "add --resume" in again.stderr
    assert run("train", "tiny.toml", "--quick", "-o", "elsewhere", folder=folder).returncode == 0
    model = str(Path("elsewhere/tiny-x2.safetensors"))
    assert run("upscale", "-m", model, "images/a.png", "--json", folder=folder).returncode in (0, 1)


def test_a_recipe_trains_on_other_images_without_its_own_data(folder: Path) -> None:
    """The recipe's validation images and test sets are missing here."""
    (folder / "mine").mkdir()
    for name in ("a", "b"):
        (folder / "mine" / f"{name}.png").write_bytes((folder / "images/a.png").read_bytes())
    (folder / "images").rename(folder / "gone")
    assert run("train", "tiny.toml", "--set", 'data.train=["mine"]', folder=folder).returncode == 1
    result = run("train", "tiny.toml", "--quick", "--data", "mine", folder=folder)
    assert result.returncode == 0, result.stderr
    assert "a tenth of yours is set aside" in result.stderr
    assert "the report is written without them" in result.stderr
    card = zoo.open_model(folder / "runs/tiny-x2/tiny-x2.safetensors").card
    assert (card.trained_on, card.licence) == ("images of mine", "not stated")
    assert card.data_fingerprint == datasets.fingerprint([folder / "mine/b.png"])
    assert card.quality.keys() == {"validation"}


def test_the_schema_and_a_preview_are_written_on_request(folder: Path) -> None:
    result = run("train", "--schema", folder=folder)
    assert json.loads(result.stdout)["title"] == "Recipe"
    PIL.Image.radial_gradient("L").resize((300, 260)).save(folder / "images/b.png")
    assert run("train", "tiny.toml", "--preview", "sheet.png", folder=folder).returncode == 0
    with PIL.Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > sheet.height > 500
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to train"),
        (["none.toml"], "cannot read the recipe none.toml"),
        (["tiny.toml", "--set", "optimizer.rl=1"], "unknown key optimizer.rl. Did you mean 'lr'"),
        (["tiny.toml", "--set", "steps"], "write KEY=VALUE"),
        (["tiny.toml", "--data", "nowhere"], "no images in"),
        (["tiny.toml", "--device", "gpu"], "no device 'gpu'"),
    ],
)
def test_each_mistake_is_reported_in_one_line(arguments: list[str], message: str, folder: Path) -> None:
    result = run("train", *arguments, folder=folder)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "runs").exists()


def test_images_that_cannot_be_read_are_named_and_do_not_end_a_training(folder: Path) -> None:
    whole = (folder / "images/a.png").read_bytes()
    (folder / "images/b.png").write_bytes(whole[:-300])
    (folder / "images/c.png").write_bytes(b"\0\5\26\7")
    for name in ("._a.png", ".DS_Store", "Thumbs.db"):
        (folder / "images" / name).write_bytes(b"\0\5\26\7")
    result = run("train", "tiny.toml", folder=folder)
    assert result.returncode == 0, result.stderr
    warned = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert len(warned) == len({*warned})
    assert not any("._a" in line or "Thumbs" in line for line in warned)
    assert "c.png is a companion file of macOS" in warned[0]
    assert "b.png is damaged" in warned[1]
    (folder / "images/a.png").unlink()
    result = run("train", "tiny.toml", "-o", "other", folder=folder)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("hyperacuity: none of the images to learn from can be decoded")
    result = run("train", "tiny.toml", "--preview", "p.png", folder=folder)
    assert (result.returncode, "none of the images" in result.stderr) == (1, True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to another process")
def test_an_interrupted_training_is_resumed(folder: Path) -> None:
    arguments = [*COMMAND, "train", "tiny.toml", "--set", "steps=100000"]
    with subprocess.Popen(arguments, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "step 9" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "--resume" in rest
    changes = ["--set", "steps=100000"]
    with subprocess.Popen(
        [*COMMAND, "train", "tiny.toml", *changes, "--resume"], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert int(process.stderr.readline().split()[1].rstrip(":")) > 9
        process.terminate()
