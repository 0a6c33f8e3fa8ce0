from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from hyperacuity import zoo
from hyperacuity.errors import Run, UnknownModel, UsageError, Use, WeightsError
from hyperacuity.zoo import Card, ChainStep, Model


def family(*scales: int) -> list[Model]:
    return [Model(Card(f"f-x{s}", "fsrcnn", s, "Y", "Apache-2.0", "nothing", "none")) for s in scales]


def names(models: list[Model]) -> list[str]:
    return [model.card.name for model in models]


def steps(chain: list[ChainStep]) -> list[str]:
    return [step.model.card.name for step in chain]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (0.5, []),
        (1, []),
        (1.01, ["f-x2"]),
        (2, ["f-x2"]),
        (2.5, ["f-x3"]),
        (3.5, ["f-x4"]),
        (4, ["f-x4"]),
        (6, ["f-x2", "f-x3"]),
        (7, ["f-x2", "f-x4"]),
        (9, ["f-x3", "f-x3"]),
        (16, ["f-x4", "f-x4"]),
    ],
)
def test_a_chain_is_short_and_overshoots_little(scale: float, expected: list[str]) -> None:
    assert steps(zoo.plan_chain(family(2, 3, 4), scale)) == expected


def test_a_single_scale_is_repeated() -> None:
    assert steps(zoo.plan_chain(family(2), 3.5)) == ["f-x2", "f-x2"]
    assert steps(zoo.plan_chain(family(2), 32)) == ["f-x2"] * 5


def test_networks_on_an_enlarged_image_serve_every_scale_they_know() -> None:
    one = Model(Card("vdsr", "vdsr", 1, "Y", "none", "none", "none", enlarged=(2, 3, 4)))
    assert [(step.enlarge, step.scale) for step in zoo.plan_chain([one], 2.5)] == [(3, 3)]
    assert [step.enlarge for step in zoo.plan_chain([one], 6)] == [2, 3]
    assert Card.from_metadata(one.card.to_metadata()) == one.card


def test_a_model_that_only_restores_is_a_chain_at_its_own_size() -> None:
    assert steps(zoo.plan_chain(family(1), 1)) == ["f-x1"]
    for scale in (0.5, 2):
        with pytest.raises(UsageError, match="f-x1 returns an image of the same size") as caught:
            zoo.plan_chain(family(1), scale)
        assert caught.value.cures == (Use(scale=1),)


def test_a_scale_out_of_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="beyond"):
        zoo.plan_chain(family(2), 33)


def test_resamplers_need_no_chain() -> None:
    assert zoo.plan_chain(zoo.find_models("bicubic"), 7) == []


@pytest.mark.parametrize("name", ["fsrcnn-x2", "FSRCNN_x2"])
def test_models_are_found_whatever_the_spelling(name: str) -> None:
    assert names(zoo.find_models(name)) == ["fsrcnn-x2"]


@pytest.mark.parametrize("name", ["fsrcnn", "FSRCNN"])
def test_a_family_is_all_its_scales(name: str) -> None:
    assert names(zoo.find_models(name)) == ["fsrcnn-x2", "fsrcnn-x3", "fsrcnn-x4"]


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownModel, match="Did you mean 'fsrcnn-x2'"):
        zoo.find_models("fsrcn-x2")


def test_every_shipped_file_is_the_one_of_its_hash() -> None:
    lines = (zoo.FOLDER / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    shipped = {path.name: path for path in zoo.FOLDER.iterdir() if path.suffix in {".safetensors", ".onnx"}}
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in shipped.items()}


def test_a_changed_file_of_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = zoo.find_models("fsrcnn-x2")[0]
    assert original.onnx is not None
    changed = tmp_path / original.onnx.name
    changed.write_bytes(original.onnx.read_bytes()[:-1] + b"!")
    (tmp_path / "SHA256SUMS").write_text((zoo.FOLDER / "SHA256SUMS").read_text())
    monkeypatch.setattr(zoo.shipped, "FOLDER", tmp_path)
    zoo.verify(original)  # it lies elsewhere now, so it is a user's own
    with pytest.raises(WeightsError, match="install hyperacuity again"):
        zoo.verify(Model(original.card, None, changed))


def test_cards_are_complete() -> None:
    for name, model in zoo.models().items():
        card = model.card
        assert card.name == name
        assert card.licence
        assert card.paper
        if card.architecture != zoo.CLASSICAL:
            assert model.onnx is not None
            assert model.safetensors is not None
            assert card.name.endswith(f"-x{card.scale}") or card.enlarged
            assert min(card.halo, card.activation_bytes, card.parameters, card.multiply_adds, card.steps) > 0
            enlarged = {"Set5", "Set14", "B100"} if (card.scale or 0) > 1 else set()
            assert {"validation", *enlarged} <= set(card.quality)
            assert enlarged <= set(card.ssim)
            assert zoo.speed()[0][name] > 0
            assert len(card.recipe) == len(card.data_fingerprint) == 12


def test_the_default_is_the_best_that_is_quick_enough() -> None:
    """Two megapixels of the result a second on two cores."""
    speed, machine = zoo.speed()
    assert machine.endswith("2 cores")
    quick = [model.card for name, model in zoo.models().items() if model.card.scale == 2 and speed[name] >= 2]
    assert max(quick, key=lambda card: card.quality["validation"]).family == zoo.DEFAULT


@pytest.mark.parametrize("choice", ["fast", "balanced", "best", "Best"])
def test_models_have_names_for_those_who_know_none(choice: str) -> None:
    family = zoo.find_models(choice)
    assert family[0].card.family == zoo.PRESETS[choice.lower()]
    assert family[0].card.scale == 2


def test_choices_are_in_their_order() -> None:
    fast, balanced, best = (zoo.find_models(name)[0].card for name in ("fast", "balanced", "best"))
    speed = zoo.speed()[0]
    assert speed[fast.name] > speed[balanced.name] >= speed[best.name]
    assert fast.quality["validation"] < balanced.quality["validation"] <= best.quality["validation"]


def test_work_is_for_a_result_of_one_size() -> None:
    card = zoo.find_models("fsrcnn-x2")[0].card
    assert card.work() == pytest.approx(card.multiply_adds * 640 * 360)
    assert zoo.find_models("bicubic")[0].card.work() == 0


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    card = family(3)[0].card
    path = tmp_path / "mine.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3)}, path, card.to_metadata())
    model = zoo.open_model(path)
    assert model.card == card
    assert model.onnx is None
    path.with_suffix(".onnx").write_bytes(b"onnx")
    assert zoo.open_model(path.with_suffix(".onnx")).onnx == path.with_suffix(".onnx")


@pytest.mark.parametrize("ending", [".safetensors", ".SafeTensors", ".SAFETENSORS", ".onnx", ".ONNX"])
def test_the_ending_of_a_model_may_be_in_capitals(tmp_path: Path, ending: str) -> None:
    card = family(2)[0].card
    weights = tmp_path / (f"mine{ending}" if ending.lower() == ".safetensors" else "mine.safetensors")
    safetensors.numpy.save_file({"a": np.zeros(3)}, weights, card.to_metadata())
    if ending.lower() == ".onnx":
        (tmp_path / f"mine{ending}").write_bytes(b"onnx")
    model = zoo.open_model(tmp_path / f"mine{ending}")
    assert (model.card, model.safetensors) == (card, weights)
    assert model.onnx == (tmp_path / f"mine{ending}" if ending.lower() == ".onnx" else None)


def test_a_card_from_the_future_keeps_what_is_known() -> None:
    card = family(2)[0].card
    metadata = {"hyperacuity": card.to_metadata()["hyperacuity"].replace("{", '{"news": 1, ', 1)}
    assert Card.from_metadata(metadata) == card


@pytest.mark.parametrize(
    "change",
    [{"scale": "2"}, {"scale": 0}, {"multiple": 0}, {"halo": None}, {"channels": "CMYK"}, {"enlarged": [0]},
     {"quality": {"Set5": "good"}}, {"config": 3}, {"name": None}],
)  # fmt: skip
def test_a_card_that_would_mislead_is_refused(change: dict[str, Any]) -> None:
    content = json.loads(family(2)[0].card.to_metadata()["hyperacuity"]) | change
    with pytest.raises(WeightsError, match="damaged; download the file again"):
        Card.from_metadata({"hyperacuity": json.dumps(content)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable safetensors"),
        (b"<html>not found</html>", "not a readable safetensors"),
        (b"\xff" * 64, "not a readable safetensors"),
        (safetensors.numpy.save({"a": np.zeros(3)}), "no card"),
        (safetensors.numpy.save({"a": np.zeros(3)}, {"hyperacuity": "{}"}), "no card"),
        (safetensors.numpy.save({"a": np.zeros(3)}, {"hyperacuity": "[1"}), "no card"),
    ],
)
def test_foreign_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        zoo.open_model(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model file"):
        zoo.open_model(tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match=r"no model file .*none\.onnx$"):
        zoo.open_model(tmp_path / "none.onnx")
    (tmp_path / "alone.onnx").touch()
    with pytest.raises(UsageError, match=r"no model file .*alone\.safetensors; .* must lie in the same folder"):
        zoo.open_model(tmp_path / "alone.onnx")
    with pytest.raises(UsageError, match=r"NAME\.safetensors"):
        zoo.open_model(tmp_path / "model.txt")
    with pytest.raises(UsageError, match="checkpoint of another project") as caught:
        zoo.open_model(tmp_path / "model.pth")
    assert caught.value.cures == (Run("import", tmp_path / "model.pth"),)
    with pytest.raises(UsageError, match="not a model of Hyperacuity"):
        zoo.open_model(Path("."))
