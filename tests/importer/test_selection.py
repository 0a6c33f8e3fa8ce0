"""Checkpoints of trainings: the network is found among the other things in the file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.importer.checkpoints import Weights, bare, saved

from hyperacuity import importer
from hyperacuity.errors import HyperacuityWarning, WeightsError
from hyperacuity.importer.selection import AVERAGE, selections


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: value for name, value in weights.items()}


def averaged(weights: Weights) -> Weights:
    return {name: value + 1 for name, value in weights.items()}


VGG = {"features.0.weight": torch.zeros(4, 3, 3, 3), "features.0.bias": torch.zeros(4)}


@pytest.fixture(scope="module")
def ours() -> Weights:
    return bare("espcn")[1]


def taken(content: Any, path: Path) -> importer.Found:
    return importer.recognise_file(saved(content, path / "w.pth"))


def same(found: importer.Found, expected: Weights) -> bool:
    return found.architecture == "espcn" and all(torch.equal(found.weights[name], expected[name]) for name in expected)


def test_a_model_of_an_average_counts_its_updates(ours: Weights, tmp_path: Path) -> None:
    content = {"n_averaged": torch.tensor(300), **prefixed("module.", ours)}
    found = taken(content, tmp_path)
    assert same(found, ours)
    assert not found.note


@pytest.mark.parametrize(("own", "other"), [("net_g.", "net_d."), ("netG.", "netD."), ("generator.", "discriminator.")])
def test_the_opponent_is_left_out(own: str, other: str, ours: Weights, tmp_path: Path) -> None:
    content = {
        "state_dict": prefixed(own, ours) | prefixed(other, VGG),
        "hyper_parameters": argparse.Namespace(lr=1e-4, path=Path("x")),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
        "epoch": 3,
    }
    assert same(taken(content, tmp_path), ours)


@pytest.mark.parametrize(
    "place", ["loss.vgg.", "vgg.", "perceptual_loss.vgg.", "lpips.net.", "criterion.", "model_d.D."]
)
@pytest.mark.parametrize("own", ["", "model.", "net."])
def test_a_loss_network_beside_it_is_left_out(own: str, place: str, ours: Weights, tmp_path: Path) -> None:
    assert same(taken({"state_dict": prefixed(own, ours) | prefixed(place, VGG)}, tmp_path), ours)


@pytest.mark.parametrize("average", ["ema_model.module.", "ema_model.", "model_ema.module.", "net_g_ema.", "ema."])
def test_the_average_is_taken_and_said(average: str, ours: Weights, tmp_path: Path) -> None:
    content = {
        **prefixed("model.", ours),
        **prefixed(average, averaged(ours)),
        average.partition(".")[0] + ".num_updates": torch.tensor(5),
        "step": torch.tensor(7),
    }
    found = taken({"state_dict": content}, tmp_path)
    assert same(found, averaged(ours))
    assert found.note == AVERAGE


def test_the_average_in_a_dict_of_its_own_is_said_too(ours: Weights, tmp_path: Path) -> None:
    found = taken({"params": ours, "params_ema": averaged(ours)}, tmp_path)
    assert same(found, averaged(ours))
    assert found.note == AVERAGE
    assert not taken({"params_ema": ours}, tmp_path).note


@pytest.mark.parametrize(
    ("own", "average"),
    [
        ("model", "ema_model"),
        ("G", "G_ema"),
        ("model", "swa_model"),
        ("generator", "generator_ema"),
        ("net_g", "averaged_net_g"),
        ("net", "ema_params"),
    ],
)
def test_averages_of_any_name_are_taken_and_said(own: str, average: str, ours: Weights, tmp_path: Path) -> None:
    found = taken({own: ours, average: averaged(ours), "optimizer": {"ema": VGG}}, tmp_path)
    assert same(found, averaged(ours))
    assert found.note == AVERAGE
    flat = prefixed(f"{own}.", ours) | prefixed(f"{average}.module.", averaged(ours))
    found = taken({"state_dict": flat}, tmp_path)
    assert same(found, averaged(ours))
    assert found.note == AVERAGE


def test_the_average_in_a_callback_of_lightning_is_taken(ours: Weights, tmp_path: Path) -> None:
    callbacks = {
        "ModelCheckpoint": {"best": torch.tensor(3.0)},
        "EMACallback": {"ema_state_dict": prefixed("model.", averaged(ours))},
    }
    found = taken({"state_dict": prefixed("model.", ours), "callbacks": callbacks}, tmp_path)
    assert same(found, averaged(ours))
    assert found.note == AVERAGE


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: {"model_g": w, "model_d": VGG},
        lambda w: {"gen_state_dict": w, "disc_state_dict": VGG},
        lambda w: {"generator_state_dict": w, "discriminator_state_dict": VGG, "loss": torch.tensor(0.1), "epoch": 3},
        lambda w: {"module": w, "buffer_names": [], "optimizer": None, "ds_config": {}},
        lambda w: {"ema": {"decay": 0.999}, "model": w},
        lambda w: [w],
        lambda w: ({"lr": 1e-4}, w),
        lambda w: {"params": {name: value.numpy() for name, value in w.items()}},
        lambda w: {**w, "total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
    ],
)
def test_the_network_is_found_under_other_names(wrap: Any, ours: Weights, tmp_path: Path) -> None:
    assert same(taken(wrap(ours), tmp_path), ours)


@pytest.mark.usefixtures("without_onnx")
def test_the_conversion_warns_of_a_choice(ours: Weights, tmp_path: Path) -> None:
    path = saved({"params": ours, "params_ema": ours}, tmp_path / "net-x2.pth")
    with pytest.warns(HyperacuityWarning, match="several networks; taken: the averaged weights"):
        importer.convert(path, tmp_path / "models")


def test_numbers_of_numpy_beside_weights_are_no_code(ours: Weights, tmp_path: Path) -> None:
    content = {
        "params": ours,
        "best_psnr": np.float64(31.5),
        "best_iter": np.int64(3),
        "curve": np.arange(3.0),
        "lr": np.float32(1e-4),
    }
    assert same(taken(content, tmp_path), ours)


def test_settings_of_other_classes_stay_empty_and_unknown_ones_are_refused(ours: Weights, tmp_path: Path) -> None:
    assert same(taken({"state_dict": ours, "args": argparse.Namespace(scale=4)}, tmp_path), ours)
    with pytest.raises(WeightsError, match="run the code of tests"):
        taken({"state_dict": ours, "args": Evil()}, tmp_path)


class Evil:
    pass


def test_numbers_that_are_weights_are_kept(ours: Weights) -> None:
    first = next(selections({**ours, "decay": torch.tensor(1.0), "body.step": torch.tensor(1.0)}))
    assert first.weights.keys() == ours.keys()
    assert [each.weights for each in selections({"step": torch.tensor(1.0)})] == [{"step": torch.tensor(1.0)}]
