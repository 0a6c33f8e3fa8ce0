"""A network and an engine added through nothing but their tables take part in everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

import hyperacuity
from hyperacuity import engines, importer, zoo
from hyperacuity.engines import Backend, Batch, opening, timing, tuning
from hyperacuity.engines.protocol import CardFields
from hyperacuity.errors import UsageError
from hyperacuity.networks import NETWORKS, Declaration, KeyLayout, build
from hyperacuity.networks.declaration import ConfigFields, Weights
from hyperacuity.networks.state_dicts import rename_keys
from hyperacuity.zoo import Model


@dataclass(frozen=True)
class ToyConfig:
    scale: int = 2


class Toy(nn.Module):
    """(N, 1, H, W) -> (N, 1, H * scale, W * scale): one convolution and a pixel shuffle."""

    Config = ToyConfig
    channels = 1
    multiple = 1

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.toy_layer = nn.Conv2d(1, config.scale**2, 3, padding=1)
        with torch.no_grad():
            self.toy_layer.weight *= 0.01
            self.toy_layer.weight[:, :, 1, 1] += 1

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.toy_layer(x), self.scale)


def _config_from_weights(weights: Weights) -> ConfigFields:
    return {"scale": round(len(weights["toy_layer.bias"]) ** 0.5)}


def _from_playground(weights: Weights) -> tuple[Weights, ConfigFields] | None:
    renamed = rename_keys(weights, {"playground": "toy_layer"})
    return None if renamed is None else (renamed, {})


class ToyEngine(CardFields):
    """onnx's reference implementation."""

    precision = "fp32"

    def __init__(self, model: Model) -> None:
        super().__init__(model.card)
        assert model.onnx is not None
        self._evaluator = ReferenceEvaluator(onnx.load(model.onnx))

    def available(self) -> int:
        return 1 << 30

    def run(self, batch: Batch) -> Batch:
        outputs: Any = self._evaluator.run(None, {"input": batch})
        result: Batch = outputs[0]
        return result

    def in_float32(self) -> ToyEngine:
        return self

    def per_core(self) -> None:
        return None


def _open(model: Model, device: str, precision: str) -> ToyEngine:
    return ToyEngine(model)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line in each table, on a machine without a GPU and without measured choices."""
    network = Declaration(Toy, _config_from_weights, layouts=(KeyLayout("the playground", _from_playground),))
    backend = Backend(title="Toy", open=_open, package="onnx", install="onnx", gain={"toy": 9.0})
    monkeypatch.setitem(NETWORKS, "toy", network)
    monkeypatch.setitem(engines.ENGINES, "toy", backend)
    monkeypatch.setattr(opening, "has_driver", lambda: False)
    monkeypatch.setattr(tuning, "cache_file", lambda: tmp_path / "cache" / "engines.json")


@pytest.mark.usefixtures("toys")
def test_a_toy_network_and_a_toy_engine_work_end_to_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = build("toy", {"scale": 3}).state_dict()
    checkpoint = tmp_path / "toy.pth"
    torch.save({"params": {name.replace("toy_layer", "playground"): w for name, w in weights.items()}}, checkpoint)
    found = importer.recognise_file(checkpoint)
    assert (found.origin, found.architecture, found.config) == ("the playground", "toy", {"scale": 3})

    card = importer.convert(checkpoint, tmp_path / "models")
    assert (card.name, card.scale, card.halo, card.channels) == ("toy-x3", 3, 1, "Y")
    model = zoo.open_model(tmp_path / "models/toy-x3.onnx")
    assert isinstance(engines.open(model), ToyEngine)
    batch = np.random.default_rng(0).random((1, 1, 8, 9), np.float32)
    expected = engines.open(model, engine="onnxruntime").run(batch)
    np.testing.assert_allclose(engines.open(model).run(batch), expected, atol=1e-5)

    pixels = np.full((10, 12, 3), 100, np.uint8)
    larger = hyperacuity.load(tmp_path / "models/toy-x3.onnx").array(pixels, 3)
    assert larger.shape == (30, 36, 3)

    monkeypatch.setattr(timing, "SIDES", (8, 8))
    assert "toy" in {result.engine for result in timing.time_engines(model)}
    assert tuning.remember(model, "openvino")
    assert not isinstance(engines.open(model), ToyEngine)
    with pytest.raises(UsageError, match="Toy computes in fp32 here, not in fp16"):
        engines.open(model, engine="toy", precision="fp16")


@pytest.mark.usefixtures("toys")
def test_auto_skips_a_toy_engine_that_is_not_installed_or_declares_no_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = zoo.models()["acute-3k-x2"]
    toy = engines.ENGINES["toy"]
    assert not isinstance(engines.open(model), ToyEngine)
    monkeypatch.setitem(engines.ENGINES, "toy", replace(toy, gain={"acute": 1.5}))
    assert isinstance(engines.open(model), ToyEngine)
    monkeypatch.setitem(engines.ENGINES, "toy", replace(toy, gain={"acute": 1.5}, requires=("no_such_module",)))
    assert not isinstance(engines.open(model), ToyEngine)
