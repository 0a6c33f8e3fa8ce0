"""A degradation and a loss that are added at run time, only through their tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from hyperacuity.errors import UsageError
from hyperacuity.train import read_recipe, schema, train
from hyperacuity.train.degrade import DEGRADATIONS, Degradation
from hyperacuity.train.losses import LOSSES


class Subsample(Degradation):
    """Every `scale`-th pixel, darkened."""

    kind: Literal["subsample"] = "subsample"
    darker: float = 0.5

    def margin(self, scale: int) -> int:
        return 0

    def degrade(self, hr: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        return (hr[..., ::scale, ::scale].float() * self.darker).round() / 255


def brightness(sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
    """The difference of the means."""
    return (sr.mean() - hr.mean()).abs()


def test_a_degradation_and_a_loss_are_added_by_a_line_of_a_table(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged = read_recipe(recipe).hash()
    changes = {"degradation": {"kind": "subsample", "darker": 0.8}, "losses.brightness": 0.1, "steps": 2}
    with pytest.raises(UsageError, match=r"unknown key losses.brightness"):
        read_recipe(recipe, {"losses.brightness": 0.1})
    with pytest.raises(UsageError, match=r"degradation: .*'bicubic', 'blur-bicubic', 'chain'"):
        read_recipe(recipe, {"degradation": {"kind": "subsample"}})

    monkeypatch.setitem(DEGRADATIONS, "subsample", Subsample)
    monkeypatch.setitem(LOSSES, "brightness", brightness)
    record = read_recipe(recipe, changes)
    assert record.degradation == Subsample(darker=0.8)
    assert record.losses.chosen() == {"l1": 1.0, "brightness": 0.1}
    progress = list(train(record, tmp_path / "run", device="cpu"))
    assert set(progress[-1].losses) == {"l1", "brightness"}
    assert (tmp_path / "run/tiny-x2.safetensors").exists()

    described = json.loads(schema())
    assert described["$defs"]["Subsample"]["properties"].keys() == {"kind", "darker"}
    assert "brightness" in described["properties"]["losses"]["properties"]
    assert read_recipe(recipe).hash() == unchanged  # older runs can be resumed
    assert record.hash() != read_recipe(recipe, changes | {"losses.brightness": 0.2}).hash()
    with pytest.raises(UsageError, match=r"unknown key degradation\.subsample\.darkre\. Did you mean 'darker'"):
        read_recipe(recipe, {"degradation": {"kind": "subsample", "darkre": 1}})
