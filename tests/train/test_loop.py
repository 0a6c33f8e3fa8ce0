"""Training on pictures small enough for seconds: what is learnt does not matter here, that it is the same does."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

import hyperacuity
from hyperacuity import zoo
from hyperacuity.datasets import Pair, files, pair
from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.train import checkpoint, read_recipe, train
from hyperacuity.train.data import Patches
from hyperacuity.train.loop import learning_rate
from hyperacuity.train.recipe import Optimizer, Recipe

RECIPE = """
steps = 12
validate_every = 3
seed = 5
[model]
name = "tiny-x2"
architecture = "fsrcnn"
config = { scale = 2, d = 8, s = 4, m = 1 }
licence = "CC0-1.0"
trained_on = "noise"
paper = "none"
[data]
train = ["@/train"]
validation = ["@/validation"]
reports = ["@/report"]
rescale = [1.0, 0.7]
patch = 8
batch = 4
[optimizer]
warm_up = 2
ema = 0.5
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    for seed, name in enumerate(("train", "validation", "report")):
        (tmp_path / name).mkdir()
        coarse = np.random.default_rng(seed).integers(0, 255, (2, 8, 8, 3), np.uint8)
        for n, pixels in enumerate(coarse):
            Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(tmp_path / name / f"{n}.png")
    path = tmp_path / "tiny-x2.toml"
    path.write_text(RECIPE.replace("@", tmp_path.as_posix()))
    return path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "tiny-x2.safetensors")


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


def test_a_training_gives_a_model_that_works_at_once(recipe: Path, tmp_path: Path) -> None:
    progress = list(train(read_recipe(recipe), tmp_path / "run"))
    assert [p.step for p in progress] == list(range(1, 13))
    assert [p.step for p in progress if p.validation is not None] == [3, 6, 9, 12]
    assert progress[-1].best == max(p.validation for p in progress if p.validation is not None)

    card = zoo.open_file(tmp_path / "run/tiny-x2.safetensors").card
    assert card.quality.keys() == {"validation", "report"}
    assert (card.steps, card.seed, card.licence) == (12, 5, "CC0-1.0")
    assert card.recipe == read_recipe(recipe).hash()
    upscaler = hyperacuity.load(tmp_path / "run/tiny-x2.onnx")
    pixels = np.full((9, 7, 3), 128, np.uint8)
    assert upscaler.array(pixels, hyperacuity.Size()).shape == (18, 14, 3)


def test_killed_and_resumed_it_ends_with_the_same_weights(recipe: Path, tmp_path: Path) -> None:
    list(train(read_recipe(recipe), tmp_path / "whole"))
    code = (
        "import sys, time; from pathlib import Path; from hyperacuity.train import read_recipe, train\n"
        "for p in train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2])):\n"
        "    print(p.step, flush=True)\n"
        "    time.sleep(60 * (p.step == 8))\n"
    )
    arguments = [sys.executable, "-c", code, str(recipe), str(tmp_path / "killed")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 8:
            pass
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    assert not (tmp_path / "killed/tiny-x2.safetensors").exists()
    resumed = list(train(read_recipe(recipe), tmp_path / "killed", resume=True))
    assert resumed[0].step == 7  # after the checkpoint of step 6
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_an_old_training_is_neither_overwritten_nor_mixed_up(recipe: Path, tmp_path: Path) -> None:
    list(train(read_recipe(recipe, {"steps": "3"}), tmp_path / "run"))
    with pytest.raises(UsageError, match="add --resume"):
        next(train(read_recipe(recipe), tmp_path / "run"))
    with pytest.raises(UsageError, match="another recipe"):
        next(train(read_recipe(recipe), tmp_path / "run", resume=True))


@pytest.mark.parametrize("architecture", ["vdsr", "edsr"])
def test_networks_that_cannot_be_trained_yet_are_refused(architecture: str, recipe: Path, tmp_path: Path) -> None:
    changes = {"model.architecture": architecture, "model.config": "{}"}
    with pytest.raises(UsageError, match="cannot be trained yet"):
        next(train(read_recipe(recipe, changes), tmp_path / "run"))


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04" + b"\0" * 99])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="delete it to begin anew"):
        checkpoint.load(path)
    torch.save({"a": 1}, path)
    with pytest.raises(WeightsError, match="no checkpoint of this trainer"):
        checkpoint.load(path)


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "sprung").touch, ())

    torch.save({"step": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError):
        checkpoint.load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, {"step": 2})
    assert checkpoint.load(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_patches_lie_over_each_other() -> None:
    hr = np.arange(64 * 80, dtype=np.uint32).reshape(64, 80) % 251
    whole = hr.astype(np.uint8)
    made = Pair(whole[::2, ::2], whole)
    patches = Patches([made], scale=2, patch=8, batch=16, seed=0)
    lr, hr_batch = patches.batch(3)
    for small, large in zip(lr, hr_batch, strict=True):
        # Every LR pixel is one of the four HR pixels over it, whichever way the patch was turned.
        over = large[0].reshape(8, 2, 8, 2).permute(0, 2, 1, 3).reshape(8, 8, 4)
        assert (over == small[0][..., None]).any(-1).all()


def test_a_batch_depends_on_its_step_alone() -> None:
    made = pair(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8), 2)
    first = Patches([made], scale=2, patch=8, batch=4, seed=1)
    other = Patches([made], scale=2, patch=8, batch=4, seed=1)
    first.batch(0)
    assert torch.equal(first.batch(7)[0], other.batch(7)[0])
    assert not torch.equal(first.batch(7)[0], first.batch(8)[0])


def test_folders_without_pictures_and_patches_without_room_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures in"):
        files([tmp_path])
    with pytest.raises(UsageError, match="patch smaller"):
        Patches([], scale=2, patch=48, batch=1, seed=0)


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    optimizer = Optimizer(lr=1.0, final_lr=0.1, warm_up=10)
    rates = [learning_rate(step, 110, optimizer) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_averaged_weights_are_what_is_shipped(recipe: Path, tmp_path: Path) -> None:
    loaded: Recipe = read_recipe(recipe, {"steps": "3"})
    list(train(loaded, tmp_path / "run"))
    state = checkpoint.load(tmp_path / "run/checkpoint.pt")
    average = {k.removeprefix("module."): v for k, v in state["average"].items() if k.startswith("module.")}
    assert_equal(weights(tmp_path / "run"), average)
    assert not torch.equal(average["deconvolve.weight"], state["network"]["deconvolve.weight"])
