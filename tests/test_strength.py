"""A model between two models of the same network, in every engine."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import hyperacuity
from hyperacuity import UsageError, WeightsError, engines, zoo
from hyperacuity.engines import tuning
from hyperacuity.errors import LEAVE_OUT, Use
from hyperacuity.networks import build
from hyperacuity.task import Options
from hyperacuity.upscaler import Upscaler
from hyperacuity.zoo import Card
from hyperacuity.zoo.blending import blend, blend_onnx
from hyperacuity.zoo.onnx_weights import find_weights
from tests.exported import noise
from tests.restorers import write_restorer


def network_between(folder: Path, strength: float) -> Any:
    """The network with weights that PyTorch interpolates."""
    ours, theirs = (
        safetensors.torch.load_file(folder / f"{name}-x2.safetensors") for name in ("photo", "photo-natural")
    )
    network = build("restorer", zoo.open_model(folder / "photo-x2.onnx").card.config)
    network.load_state_dict({name: torch.lerp(theirs[name], ours[name], strength) for name in ours})
    return network.eval()


@pytest.mark.parametrize("engine", engines.ENGINES)
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_every_engine_computes_what_pytorch_interpolates(restorers: Path, engine: str, strength: float) -> None:
    if not engines.ENGINES[engine].installed():
        pytest.skip(f"{engine} is not installed")
    batch = noise(1, 3, 24, 32)
    with torch.inference_mode():
        expected = network_between(restorers, strength)(torch.from_numpy(batch)).numpy()
    model = blend(zoo.open_model(restorers / "photo-x2.onnx"), strength)
    result = engines.open(model, engine=engine, device="cpu").run(batch)
    assert np.abs(result - expected).max() < 1e-4 * max(1, np.abs(expected).max())


def test_the_strengths_differ_and_the_default_is_the_cards(restorers: Path) -> None:
    pixels = (noise(20, 24, 3) * 255).astype(np.uint8)
    path = restorers / "photo-x2.onnx"
    results = {each: hyperacuity.upscale(pixels, 2, model=path, strength=each) for each in (0, 0.5, 1, None)}
    assert not np.array_equal(results[0], results[1])
    assert np.array_equal(results[0.5], results[None])
    assert np.array_equal(results[0], hyperacuity.upscale(pixels, 2, model=restorers / "photo-natural-x2.onnx"))


def test_a_model_without_a_partner_has_no_strength(photo_zoo: Path) -> None:
    with pytest.raises(UsageError, match="acute-100k-x2 has no strength") as caught:
        hyperacuity.load("acute-100k", strength=0.5)
    assert caught.value.cures == (Use(strength=LEAVE_OUT), Use(model="photo-x2"))


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_lies_between_0_and_1(strength: float) -> None:
    with pytest.raises(UsageError, match="a strength of"):
        hyperacuity.load("acute-100k", strength=strength)


def test_the_partner_is_found_in_the_folder_or_in_the_zoo(photo_zoo: Path, tmp_path: Path) -> None:
    for kind in ("onnx", "safetensors"):
        shutil.copy(photo_zoo / f"photo-x2.{kind}", tmp_path)
    assert hyperacuity.load(tmp_path / "photo-x2.onnx").family[0].onnx is not None


def test_a_missing_partner_is_an_error_with_a_cure(tmp_path: Path) -> None:
    write_restorer(tmp_path, "mine-x2", 0, natural="mine-natural-x2", strength=0.5)
    with pytest.raises(WeightsError, match="mine-x2 needs mine-natural-x2") as caught:
        hyperacuity.load(tmp_path / "mine-x2.onnx")
    assert caught.value.cures == (Use(strength=1),)
    hyperacuity.load(tmp_path / "mine-x2.onnx", strength=1)


def test_a_partner_of_another_shape_is_an_error(restorers: Path, tmp_path: Path) -> None:
    for kind in ("onnx", "safetensors"):
        shutil.copy(restorers / f"photo-x2.{kind}", tmp_path)
        shutil.copy(zoo.FOLDER / f"acute-10k-x2.{kind}", tmp_path / f"photo-natural-x2.{kind}")
    with pytest.raises(WeightsError, match="not the same network"):
        hyperacuity.load(tmp_path / "photo-x2.onnx")


def test_8_bits_exist_at_full_strength_only(restorers: Path) -> None:
    with pytest.raises(UsageError, match="8 bits") as caught:
        hyperacuity.load(restorers / "photo-x2.onnx", precision="int8")
    assert Use(strength=1) in caught.value.cures


def test_files_exist_as_long_as_the_model(restorers: Path) -> None:
    model = blend(zoo.open_model(restorers / "photo-x2.onnx"), 0.5)
    folder = model.onnx.parent if model.onnx else Path()
    assert sorted(path.name for path in folder.iterdir()) == ["photo-x2.onnx", "photo-x2.safetensors"]
    del model
    gc.collect()
    assert not folder.exists()


def test_an_engine_measured_for_the_model_counts_at_every_strength(restorers: Path, untuned: None) -> None:
    model = zoo.open_model(restorers / "photo-x2.onnx")
    tuning.remember(model, "onnxruntime")
    assert tuning.recall(blend(model, 0.5)) == "onnxruntime"


def test_the_weights_of_an_onnx_file_are_all_found() -> None:
    onnx = pytest.importorskip("onnx")
    for path in sorted(zoo.FOLDER.glob("*.onnx")):
        content = path.read_bytes()
        found = find_weights(content)
        graph = onnx.load(path).graph
        assert list(found) == [tensor.name for tensor in graph.initializer]
        for tensor in graph.initializer:
            place = found[tensor.name]
            assert content[place.start : place.end] == tensor.raw_data
            assert place.is_float == (tensor.data_type == onnx.TensorProto.FLOAT)


def test_damaged_and_different_onnx_files_are_errors(restorers: Path) -> None:
    content = (restorers / "photo-x2.onnx").read_bytes()
    for size in range(1, len(content), 97):
        with pytest.raises(WeightsError):
            blend_onnx(content, content[:size], 0.5)
    with pytest.raises(WeightsError, match="different layers"):
        blend_onnx(content, (zoo.FOLDER / "acute-10k-x2.onnx").read_bytes(), 0.5)


@pytest.mark.parametrize("field", [{"strength": 1.5}, {"strength": "1"}, {"natural": 3}, {"natural": "photo-x2"}])
def test_cards_with_impossible_fields_are_damaged(field: dict[str, Any]) -> None:
    card = Card("photo-x2", "restorer", 2, "RGB", "none", "nothing", "none", **field)
    with pytest.raises(WeightsError, match="damaged"):
        Card.from_metadata(card.to_metadata())


def test_a_family_may_restore_at_its_own_size(photo_zoo: Path, tmp_path: Path) -> None:
    family = [zoo.models()["photo-x2"], zoo.Model(Card("photo-x1", "restorer", 1, "RGB", "none", "nothing", "none"))]
    assert [step.model.card.name for step in zoo.plan_chain(family, 1)] == ["photo-x1"]
    assert [step.model.card.name for step in zoo.plan_chain(family, 3)] == ["photo-x2", "photo-x2"]
    assert zoo.plan_chain(family, 0.5) == []


def test_a_strength_that_the_models_of_a_size_do_not_have_is_refused(photo_zoo: Path) -> None:
    upscaler = Upscaler(Options(model="photo", strength=0.5))
    same = zoo.Model(Card("photo-x1", "restorer", 1, "RGB", "none", "nothing", "none"))
    upscaler.family = [same, *(model for model in upscaler.family if model.card.scale != 1)]
    assert [step.model.card.name for step in upscaler.chain((9, 9), (18, 18))] == ["photo-x2"]
    assert upscaler.chain((9, 9), (5, 5)) == []
    with pytest.raises(UsageError, match="photo-x1 has no strength") as caught:
        upscaler.chain((9, 9), (9, 9))
    assert caught.value.cures == (Use(strength=LEAVE_OUT),)
