"""The loop as a whole: a recipe and pictures in, a model out; killed, resumed, shared, in trouble."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from PIL import Image

import hyperacuity
from hyperacuity import storage, zoo
from hyperacuity.errors import UsageError
from hyperacuity.networks import complete_config
from hyperacuity.resize import resize
from hyperacuity.train import TrainingProgress, read_recipe, train, validation
from hyperacuity.train.checkpoint import Checkpoints
from hyperacuity.train.divergence import DivergenceWarning

GAN = {
    "model.architecture": "srresnet",
    "model.config": {"blocks": 1, "width": 4},
    "discriminator": {"architecture": "unet", "config": {"features": 4}, "loss": "relativistic", "pretrain_steps": 4},
}
MDSR = {"model.architecture": "mdsr", "model.config": {"scales": [2, 3], "blocks": 1, "width": 4}}
VAE = {"model.architecture": "vae", "model.config": {"features": 4, "layers": 1}, "variational": {"warm_up": 4}}


def trained(recipe: Path, folder: Path, changes: Any = None, **options: Any) -> list[TrainingProgress]:
    """All steps of a training."""
    return [p for p in train(read_recipe(recipe, changes), folder, device="cpu", **options) if p.losses]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "tiny-x2.safetensors")


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


@pytest.mark.usefixtures("onnx_export")
def test_a_training_gives_a_model_that_works_at_once(recipe: Path, tmp_path: Path) -> None:
    progress = trained(recipe, tmp_path / "run")
    assert [p.step for p in progress] == list(range(1, 13))
    assert [p.step for p in progress if p.validation is not None] == [3, 6, 9, 12]
    assert progress[-1].best == max(p.validation for p in progress if p.validation is not None)
    assert progress[2].samples["0 x2"].shape == (48, 48, 1)
    assert all(0 <= p.waiting < 1 for p in progress)

    card = zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card
    assert card.quality.keys() == {"validation", "report"}
    assert card.ssim.keys() == {"report"}
    assert (card.steps, card.seed, card.licence) == (12, 5, "CC0-1.0")
    assert card.recipe == read_recipe(recipe).hash()
    assert card.config == complete_config("fsrcnn", {"d": 8, "s": 4, "m": 1})  # defaults too
    upscaler = hyperacuity.load(tmp_path / "run/tiny-x2.onnx")
    pixels = np.full((9, 7, 3), 128, np.uint8)
    assert upscaler.array(pixels, hyperacuity.Size()).shape == (18, 14, 3)


@pytest.mark.usefixtures("onnx_export")
@pytest.mark.parametrize(
    ("changes", "terms"),
    [
        ({"model.architecture": "vdsr", "model.config": {"depth": 3}, "data.scales": [2, 3], "data.patch": 17}, {"l1"}),
        (
            {"model.architecture": "edsr", "model.config": {"blocks": 1, "width": 4}, "degradation": {"kind": "chain"}},
            {"l1"},
        ),
        ({"teacher": {"model": "fsrcnn-x2"}, "degradation": {"kind": "blur-bicubic"}}, {"l1", "teacher"}),
        ({"losses": {"mse": 1, "ssim": 0.1, "consistency": 1}, "data.patch": 12}, {"mse", "ssim", "consistency"}),
        ({"accumulate": 2, "precision": "bf16", "optimizer.kind": "adamw"}, {"l1"}),
        ({"optimizer": {"kind": "sgd", "clip_adjustable": 0.4}, "schedule": {"kind": "stairs", "every": 5}}, {"l1"}),
        (VAE, {"l1", "backbone l1", "kl"}),
        (GAN, {"l1", "adversary", "discriminator", "accuracy"}),
    ],
    ids=["enlarged", "chain", "teacher", "losses", "bf16", "sgd", "vae", "gan"],
)
def test_every_kind_of_training_ends_with_a_model(
    changes: dict[str, Any], terms: set[str], recipe: Path, tmp_path: Path
) -> None:
    progress = trained(recipe, tmp_path / "run", {"steps": 4, "validate_every": 2} | changes)
    assert set(progress[-1].losses) == terms
    card = zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card
    upscaler = hyperacuity.load(tmp_path / "run/tiny-x2.onnx")
    assert upscaler.array(np.full((9, 7, 3), 128, np.uint8), hyperacuity.Size(2)).shape == (18, 14, 3)
    assert card.enlarged == tuple(changes.get("data.scales", ()))


@pytest.mark.usefixtures("onnx_export")
def test_a_network_of_several_scales_becomes_a_model_for_each(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {**MDSR, "model.name": "mdsr", "steps": 6})
    for scale in (2, 3):
        assert zoo.open_model(tmp_path / f"run/mdsr-x{scale}.safetensors").card.scale == scale
        upscaler = hyperacuity.load(tmp_path / f"run/mdsr-x{scale}.onnx")
        assert upscaler.array(np.zeros((6, 5, 3), np.uint8), hyperacuity.Size(scale)).shape == (6 * scale, 5 * scale, 3)


def test_killed_and_resumed_it_ends_with_the_same_weights(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "whole")
    code = (
        "import sys, time; from pathlib import Path; from hyperacuity import export\n"
        "from hyperacuity.train import read_recipe, train\n"
        "export.to_onnx = lambda network, card: b'onnx'\n"
        "for p in train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), device='cpu'):\n"
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
    resumed = trained(recipe, tmp_path / "killed", resume=True)
    assert resumed[0].step == 7  # after the checkpoint of step 6
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


@pytest.mark.parametrize(
    "changes",
    [GAN, VAE, {"degradation": {"kind": "chain"}}, {"data.hardest_of": 3}],
    ids=["gan", "vae", "chain", "hard patches"],
)
def test_what_is_random_goes_on_as_it_would_have(changes: dict[str, Any], recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "whole", changes)
    with contextlib.closing(train(read_recipe(recipe, changes), tmp_path / "stopped", device="cpu")) as stopped:
        while next(stopped).step < 7:
            pass
    trained(recipe, tmp_path / "stopped", changes, resume=True)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_of_weights_that_validate_alike_the_last_are_written(recipe: Path, tmp_path: Path) -> None:
    """As where only what validation does not see is learnt: what a VAE draws, about a picture that stays."""
    changes = {**VAE, "optimizer.rate_factors": {"backbone.": 0}, "steps": 4}
    for every in (2, 4):
        progress = trained(recipe, tmp_path / str(every), changes | {"validate_every": every})
        assert progress[-1].validation == progress[-1].best
    assert_equal(weights(tmp_path / "2"), weights(tmp_path / "4"))


def test_what_fp16_multiplies_its_gradients_by_goes_on_too(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scale that grows at every second step, where on CPUs Fabric would take bf16, which has none."""

    def fabric(**options: Any) -> Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
        del options["precision"]
        return Fabric(**options, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])

    def scale(folder: Path) -> float:
        state = Checkpoints(folder / "checkpoints", 2).latest()
        assert state is not None
        return float(state.precision["scale"])

    monkeypatch.setattr("hyperacuity.train.assembly.Fabric", fabric)
    trained(recipe, tmp_path / "whole", {"steps": 6})
    with contextlib.closing(train(read_recipe(recipe, {"steps": 6}), tmp_path / "stopped", device="cpu")) as stopped:
        while next(stopped).step < 4:
            pass
    trained(recipe, tmp_path / "stopped", {"steps": 6}, resume=True)
    assert scale(tmp_path / "whole") == scale(tmp_path / "stopped") == 4.0 * 2**3
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


SHARED_OUT = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from hyperacuity import export
from hyperacuity.train import read_recipe, train
export.to_onnx = lambda network, card: b"onnx"
losses = [p.losses for p in train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), device="cpu") if p.losses]
print(json.dumps([terms["l1"] for terms in losses]))
"""


def test_two_processes_learn_as_one_with_twice_the_batch(recipe: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(2):
        environment = os.environ | {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "GROUP_RANK": "0",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "TORCHELASTIC_RUN_ID": "test",
        }
        arguments = [sys.executable, "-c", SHARED_OUT, str(recipe), str(tmp_path / "two")]
        processes.append(
            subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers[0][1] + answers[1][1]
    first, second = (json.loads(out.splitlines()[-1]) for out, _ in answers)
    alone = [p.losses["l1"] for p in trained(recipe, tmp_path / "one", {"data.batch": 8})]
    assert first == second
    np.testing.assert_allclose(first, alone, rtol=2e-4)
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value, rtol=1e-2, atol=1e-4)


def test_an_exploding_loss_is_rewound_and_goes_on_slower(recipe: Path, tmp_path: Path) -> None:
    changes = {"optimizer.kind": "sgd", "optimizer.lr": 2e4, "divergence.factor": 1e-7, "schedule.warm_up": 0}
    with pytest.warns(
        DivergenceWarning, match=r"exploded at step \d+ .*: back to step 0, with 1e-07 times the learning rate"
    ):
        progress = trained(recipe, tmp_path / "run", changes)
    steps = [p.step for p in progress]
    assert any(later <= earlier for earlier, later in itertools.pairwise(steps))
    assert steps[-1] == 12
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "run").values())


def test_or_it_stops_and_says_what_to_do(recipe: Path, tmp_path: Path) -> None:
    changes = {"optimizer.kind": "sgd", "optimizer.lr": 2e4, "divergence.action": "stop", "schedule.warm_up": 0}
    with pytest.raises(UsageError, match=r"exploded at step \d.*: lower optimizer\.lr"):
        trained(recipe, tmp_path / "run", changes)
    assert Checkpoints(tmp_path / "run/checkpoints", 2).latest() is not None


def test_an_old_training_is_neither_overwritten_nor_mixed_up(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {"steps": 3})
    with pytest.raises(UsageError, match="use resume=True"):
        trained(recipe, tmp_path / "run")
    with pytest.raises(UsageError, match="another recipe"):
        trained(recipe, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variational": {}}, r"fsrcnn is not variational: leave out the table \[variational\]"),
        ({"model.architecture": "vae", "model.config": {}}, r"vae is variational: add a table \[variational\]"),
        ({"model.architecture": "vdsr", "model.config": {}, "losses": {"consistency": 1}}, "networks that enlarge"),
        ({"data.scales": [2, 3]}, "this network has x2"),
        ({"teacher": {"model": "nobody"}}, "no model 'nobody'"),
        ({"teacher": {"model": "fsrcnn-x2"}, "model.config": {"scale": 3}}, "cannot teach"),
        ({"optimizer.rate_factors": {"deconvolv.": 0.1, "end.": 0.1}}, "no parameter begins with"),
        ({"data.patch": 999}, "make data.patch smaller"),
        ({"data.train": ["nowhere"]}, "no images in"),
        ({"data.reports": ["nowhere"]}, "no images in"),
        ({"data.train": []}, "data.train: "),
        ({"seed": -1}, "seed: "),
        ({"schedule": {"kind": "one-cycle", "initial_factor": 0}}, "initial_factor: "),
        ({"discriminator": {"config": {"stagse": 2}}}, "discriminator.config: unet cannot be built from"),
        ({"discriminator": {}, "data.patch": 9}, "18 pixels a side do not divide by 8"),
        (
            {**MDSR, "data.lr": ["train"], "data.rescale": [1.0]},
            "data.lr .* of one scale: .* or set model.config.scales",
        ),
        ({**MDSR, "teacher": {"model": "fsrcnn-x2"}}, "teacher is for networks of one scale"),
        ({**MDSR, "discriminator": {"architecture": "vgg"}}, "so use unet"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    changes: dict[str, Any], message: str, recipe: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(recipe, tmp_path / "run", changes)
    assert not (tmp_path / "run").exists()


def test_pictures_whose_sides_do_not_fit_the_network_are_measured_too(recipe: Path, tmp_path: Path) -> None:
    Image.open(tmp_path / "report/0.png").resize((46, 34)).save(tmp_path / "report/0.png")
    config = {"scale": 2, "blocks": 1, "features": 4, "growth": 2}  # works on a quarter of the pixels
    changes = {"model.architecture": "rrdb", "model.config": config, "steps": 2, "validate_every": 2}
    trained(recipe, tmp_path / "run", changes)
    assert zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card.quality["report"] > 0


def test_a_picture_that_is_too_small_to_be_measured_is_said_at_the_beginning(recipe: Path, tmp_path: Path) -> None:
    Image.new("RGB", (5, 40)).save(tmp_path / "report/small.png")
    with pytest.raises(UsageError, match=r"small.png has 5 x 40 pixels: nothing is left to measure at x2"):
        trained(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_of_an_adversarial_training_the_last_weights_are_written(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = itertools.count(40, -1)
    real = validation.quality
    monkeypatch.setattr(validation, "quality", lambda *args: (float(next(falling)), real(*args)[1]))
    trained(recipe, tmp_path / "run", {**GAN, "steps": 6})
    best = Checkpoints(tmp_path / "run/checkpoints", 1).best()
    assert best is not None
    assert best.step == 6


def test_a_disk_that_is_full_at_the_end_costs_nothing(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage.Partial, "write", full)
        with pytest.raises(UsageError, match=r"tiny-x2 cannot be written .*: use resume=True"):
            trained(recipe, tmp_path / "run", {"steps": 3})
    assert not list((tmp_path / "run").glob("tiny-x2*"))
    assert trained(recipe, tmp_path / "run", {"steps": 3}, resume=True) == []
    assert (tmp_path / "run/tiny-x2.onnx").exists()


def test_pictures_with_their_own_lr_are_learnt_from_as_they_are(recipe: Path, tmp_path: Path) -> None:
    """The same pairs that bicubic makes give the same as bicubic but for where patches may lie."""
    for name in ("train", "validation"):
        (tmp_path / f"{name}-lr").mkdir()
        for path in sorted((tmp_path / name).iterdir()):
            small = resize(np.asarray(Image.open(path)), scale=0.5)
            Image.fromarray(small).save(tmp_path / f"{name}-lr" / f"{path.stem}x2.png")
    changes = {
        "data.lr": [str(tmp_path / "train-lr")],
        "data.validation_lr": [str(tmp_path / "validation-lr")],
        "data.rescale": [1.0],
        "optimizer.ema": 0,
    }
    progress = trained(recipe, tmp_path / "run", changes)
    assert progress[-1].validation is not None
    (tmp_path / "train-lr/0x2.png").unlink()
    with pytest.raises(UsageError, match=r"0\.png has no LR image of that name"):
        trained(recipe, tmp_path / "other", changes)


def test_the_averaged_weights_are_what_is_shipped(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {"steps": 3})
    state = Checkpoints(tmp_path / "run/checkpoints", 2).latest()
    assert state is not None
    average = state.average
    assert_equal(weights(tmp_path / "run"), average)
    assert not torch.equal(average["deconvolve.weight"], state.network["deconvolve.weight"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_said(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='does not find cuda here: use device="cpu"'):
        next(train(read_recipe(recipe), tmp_path / "run", device="cuda"))


@pytest.mark.gpu
def test_a_gpu_trains_too(recipe: Path, tmp_path: Path) -> None:
    progress = list(train(read_recipe(recipe, {"precision": "fp16"}), tmp_path / "run", device="cuda"))
    assert progress[-1].step == 12
    assert np.isfinite(progress[-1].best)
