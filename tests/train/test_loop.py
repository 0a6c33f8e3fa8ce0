"""The training loop as a whole: a recipe and images in, a model out."""

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
import torch
from PIL import Image

import hyperacuity
from hyperacuity import zoo
from hyperacuity.errors import UsageError
from hyperacuity.networks import NETWORKS, complete_config
from hyperacuity.resize import resize
from hyperacuity.task import Stop, Stopped
from hyperacuity.train import read_recipe, train, validation
from hyperacuity.train.checkpoint import Checkpoints
from hyperacuity.train.divergence import DivergenceWarning
from tests.train.runs import GAN, MDSR, PAIRS, PAIRS_GAN, RESTORER, VAE, assert_equal, trained, weights


@pytest.mark.usefixtures("onnx_export")
def test_a_run_ends_with_a_usable_model(recipe: Path, tmp_path: Path) -> None:
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
        (PAIRS, {"l1"}),
        (PAIRS_GAN, {"l1", "gradient", "adversary", "discriminator", "accuracy"}),
    ],
    ids=["enlarged", "chain", "teacher", "losses", "bf16", "sgd", "vae", "gan", "pairs", "pairs gan"],
)
def test_every_kind_of_run_ends_with_a_model(
    changes: dict[str, Any], terms: set[str], recipe: Path, tmp_path: Path
) -> None:
    progress = trained(recipe, tmp_path / "run", {"steps": 4, "validate_every": 2} | changes)
    assert set(progress[-1].losses) == terms
    card = zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card
    upscaler = hyperacuity.load(tmp_path / "run/tiny-x2.onnx")
    assert upscaler.array(np.full((9, 7, 3), 128, np.uint8), hyperacuity.Size(2)).shape == (18, 14, 3)
    assert card.enlarged == tuple(changes.get("data.scales", ()))


@pytest.mark.usefixtures("onnx_export")
def test_a_network_of_several_scales_gives_one_model_per_scale(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {**MDSR, "model.name": "mdsr", "steps": 6})
    for scale in (2, 3):
        assert zoo.open_model(tmp_path / f"run/mdsr-x{scale}.safetensors").card.scale == scale
        upscaler = hyperacuity.load(tmp_path / f"run/mdsr-x{scale}.onnx")
        assert upscaler.array(np.zeros((6, 5, 3), np.uint8), hyperacuity.Size(scale)).shape == (6 * scale, 5 * scale, 3)


def test_a_network_of_scale_1_restores(recipe: Path, tmp_path: Path) -> None:
    """It gets degraded images of their own size, or stored pairs, not images that bicubic has enlarged."""
    config = {**RESTORER["model.config"], "scale": 1}
    changes = {**RESTORER, "model.config": config, "data.reports": [], "data.patch": 16, "steps": 2}
    for name, more in (("images", {}), ("pairs", {"pairs": {**PAIRS["pairs"], "side": 16}})):
        progress = trained(recipe, tmp_path / name, changes | more)
        assert progress[-1].validation is not None
        card = zoo.open_model(tmp_path / name / "tiny-x2.safetensors").card
        assert (card.scale, card.enlarged) == (1, ())
        assert all(value.shape[0] != 12 for key, value in weights(tmp_path / name).items() if key.startswith("last"))


def test_dat_is_trained_on_batches(recipe: Path, tmp_path: Path) -> None:
    """It normalises over batches, at one place a single number of each image."""
    config = {**NETWORKS["dat"].small, "layers": 2, "split": [2, 4]}
    changes = {"model.architecture": "dat", "model.config": config, "data.reports": [], "data.patch": 13, "steps": 2}
    assert trained(recipe, tmp_path / "run", changes | {"data.batch": 2})[-1].validation is not None
    assert zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card.config["split"] == [2, 4]
    with pytest.raises(UsageError, match="two images or more"):
        trained(recipe, tmp_path / "one", changes | {"data.batch": 1})


def test_a_card_names_the_partner_of_its_recipe(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {"model.natural": "fsrcnn-x2", "model.strength": 0.5, "steps": 1})
    card = zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card
    assert (card.natural, card.strength) == ("fsrcnn-x2", 0.5)


def test_pairs_that_are_missing_are_made_first_and_used_again(recipe: Path, tmp_path: Path) -> None:
    changes = {**PAIRS, "pairs": {**PAIRS["pairs"], "folder": str(tmp_path / "stored")}, "steps": 2}
    steps = list(train(read_recipe(recipe, changes), tmp_path / "run", device="cpu"))
    assert any(p.preparing.startswith("making pairs: ") for p in steps)
    assert steps[-1].samples["kinds"].ndim == 3
    for name in ("kinds.csv", "reference.csv", "sheet.png"):
        assert (tmp_path / "run" / name).exists()
    again = list(train(read_recipe(recipe, changes), tmp_path / "again", device="cpu"))
    assert not any(p.preparing for p in again)
    assert_equal(weights(tmp_path / "run"), weights(tmp_path / "again"))


def test_the_last_of_equally_good_weights_are_written(recipe: Path, tmp_path: Path) -> None:
    """For example those of a VAE, if only its samples are learnt, which validation does not see."""
    changes = {**VAE, "optimizer.rate_factors": {"backbone.": 0}, "steps": 4}
    for every in (2, 4):
        progress = trained(recipe, tmp_path / str(every), changes | {"validate_every": every})
        assert progress[-1].validation == progress[-1].best
    assert_equal(weights(tmp_path / "2"), weights(tmp_path / "4"))


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


def in_two_processes(*scripts: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and errors of Python programs that find each other as `torchrun` arranges it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank, arguments in enumerate(scripts):
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
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    answers = [process.communicate(timeout=600) for process in processes]
    return [(process.returncode, *answer) for process, answer in zip(processes, answers, strict=True)]


def test_two_processes_learn_like_one_with_twice_the_batch(recipe: Path, tmp_path: Path) -> None:
    script = [SHARED_OUT, str(recipe), str(tmp_path / "two")]
    answers = in_two_processes(script, script)
    assert [code for code, _, _ in answers] == [0, 0], answers
    first, second = (json.loads(out.splitlines()[-1]) for _, out, _ in answers)
    alone = [p.losses["l1"] for p in trained(recipe, tmp_path / "one", {"data.batch": 8})]
    assert first == second
    np.testing.assert_allclose(first, alone, rtol=2e-4)
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value, rtol=1e-2, atol=1e-4)


# What the second of two nodes sees differently.
OTHER_NODES = {
    "the images": """
from hyperacuity import datasets
found = datasets.list_images
datasets.list_images = lambda folder: found(folder)[:-1]
""",
    "the checkpoints": """
from hyperacuity.train import checkpoint
checkpoint.Checkpoints.latest = lambda self: None
""",
}


@pytest.mark.parametrize("differing", OTHER_NODES)
def test_nodes_that_see_other_files_are_named(recipe: Path, tmp_path: Path, differing: str) -> None:
    run = tmp_path / "run"
    if differing == "the checkpoints":
        with contextlib.suppress(Stopped):
            stop = Stop()
            for progress in train(read_recipe(recipe), run, device="cpu", stop=stop):
                if progress.validation is not None:
                    stop.set()
    script = SHARED_OUT.replace('device="cpu"', 'device="cpu", resume=True')
    other = f"import platform\nplatform.node = lambda: 'node-2'\n{OTHER_NODES[differing]}\n{script}"
    answers = in_two_processes([script, str(recipe), str(run)], [other, str(recipe), str(run)])
    for code, _, error in answers:
        assert code in (1, -signal.SIGABRT), answers  # Gloo can abort a process whose peer has left before it
        assert f"UsageError: {differing} differ between the nodes of this training: node-2 (process 1) has" in error


def test_a_diverged_run_continues_from_its_checkpoint_at_a_lower_rate(recipe: Path, tmp_path: Path) -> None:
    changes = {"optimizer.kind": "sgd", "optimizer.lr": 2e4, "divergence.factor": 1e-7, "schedule.warm_up": 0}
    with pytest.warns(
        DivergenceWarning, match=r"exploded at step \d+ .*: back to step 0, with 1e-07 times the learning rate"
    ):
        progress = trained(recipe, tmp_path / "run", changes)
    steps = [p.step for p in progress]
    assert any(later <= earlier for earlier, later in itertools.pairwise(steps))
    assert steps[-1] == 12
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "run").values())


def test_a_diverged_run_stops_if_the_recipe_asks_for_it(recipe: Path, tmp_path: Path) -> None:
    changes = {"optimizer.kind": "sgd", "optimizer.lr": 2e4, "divergence.action": "stop", "schedule.warm_up": 0}
    with pytest.raises(UsageError, match=r"exploded at step \d.*: lower optimizer\.lr"):
        trained(recipe, tmp_path / "run", changes)
    assert Checkpoints(tmp_path / "run/checkpoints", 2).latest() is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variational": {}}, r"fsrcnn is not variational: leave out the table \[variational\]"),
        ({"model.architecture": "vae", "model.config": {}}, r"vae is variational: add a table \[variational\]"),
        ({"model.architecture": "vdsr", "model.config": {}, "losses": {"consistency": 1}}, "networks that enlarge"),
        ({"data.scales": [2, 3]}, "this network has x2"),
        ({"teacher": {"model": "missing"}}, "no model 'missing'"),
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
        ({"window": 17}, "window: the results have 16 pixels a side"),
        ({"discriminator": {"config": {"unshuffle": 2}}, "window": 8}, "window: unet .* 8 pixels .* divide by 16"),
        ({"pairs": {}}, "set degradation.kind to everyday"),
        ({**PAIRS, "teacher": {"model": "fsrcnn-x2"}}, r"leave the table \[teacher\] out"),
        ({**PAIRS, "data.patch": 20}, "pairs have 10 LR pixels a side"),
        ({**PAIRS, "data.validation": []}, "pairs need data.validation"),
        ({**PAIRS, "pairs": {"truth": {"wbe": 1}}}, "no kind 'wbe'; .* Did you mean 'web'"),
        ({**PAIRS, "model.architecture": "vdsr", "model.config": {}}, "this one gets images enlarged before"),
        ({**RESTORER, "model.config": {"scale": 1}}, "data.reports are measured as papers do"),
        (
            {**RESTORER, "model.config": {"scale": 1}, "data.reports": [], "degradation": {"kind": "bicubic"}},
            "a network of scale 1 keeps their size",
        ),
        ({**MDSR, "teacher": {"model": "fsrcnn-x2"}}, "teacher is for networks of one scale"),
        ({**MDSR, "discriminator": {"architecture": "vgg"}}, "so use unet"),
    ],
)
def test_impossible_recipes_raise_before_anything_is_written(
    changes: dict[str, Any], message: str, recipe: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(recipe, tmp_path / "run", changes)
    assert not (tmp_path / "run").exists()


def test_images_whose_sides_do_not_fit_the_network_are_measured(recipe: Path, tmp_path: Path) -> None:
    Image.open(tmp_path / "report/0.png").resize((46, 34)).save(tmp_path / "report/0.png")
    config = {"scale": 2, "blocks": 1, "features": 4, "growth": 2}  # works on a quarter of the pixels
    changes = {"model.architecture": "rrdb", "model.config": config, "steps": 2, "validate_every": 2}
    trained(recipe, tmp_path / "run", changes)
    assert zoo.open_model(tmp_path / "run/tiny-x2.safetensors").card.quality["report"] > 0


def test_test_images_that_are_too_small_raise_before_the_run(recipe: Path, tmp_path: Path) -> None:
    Image.new("RGB", (5, 40)).save(tmp_path / "report/small.png")
    with pytest.raises(UsageError, match=r"small.png has 5 x 40 pixels: nothing is left to measure at x2"):
        trained(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["adversary", "perceptual"])
def test_a_run_for_looks_writes_its_last_weights(
    kind: str, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vgg19 = tmp_path / "vgg19.pth"
    sizes = {"0.weight": (64, 3, 3, 3), "0.bias": (64,), "2.weight": (64, 64, 3, 3), "2.bias": (64,)}
    torch.save({f"features.{name}": torch.full(size, 0.01) for name, size in sizes.items()}, vgg19)
    looks = {"losses": {"l1": 1.0, "perceptual": {"weight": 1.0, "vgg19": str(vgg19), "layers": {"conv1_2": 1.0}}}}
    changes = GAN if kind == "adversary" else looks
    falling = itertools.count(40, -1)
    real = validation.quality
    monkeypatch.setattr(validation, "quality", lambda *args: (float(next(falling)), real(*args)[1]))
    trained(recipe, tmp_path / "run", {**changes, "steps": 6})
    best = Checkpoints(tmp_path / "run/checkpoints", 1).best()
    assert best is not None
    assert best.step == 6


def test_given_lr_images_are_used_as_they_are(recipe: Path, tmp_path: Path) -> None:
    """With the LR images that bicubic makes."""
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
    with pytest.raises(UsageError, match=r"has no LR for 0\.png"):
        trained(recipe, tmp_path / "other", changes)


def test_the_averaged_weights_are_written(recipe: Path, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run", {"steps": 3})
    state = Checkpoints(tmp_path / "run/checkpoints", 2).latest()
    assert state is not None
    average = state.average
    assert_equal(weights(tmp_path / "run"), average)
    assert not torch.equal(average["deconvolve.weight"], state.network["deconvolve.weight"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device_raises(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='does not find cuda here: use device="cpu"'):
        next(train(read_recipe(recipe), tmp_path / "run", device="cuda"))


@pytest.mark.gpu
def test_a_run_on_a_gpu(recipe: Path, tmp_path: Path) -> None:
    progress = list(train(read_recipe(recipe, {"precision": "fp16"}), tmp_path / "run", device="cuda"))
    assert progress[-1].step == 12
    assert np.isfinite(progress[-1].best)
