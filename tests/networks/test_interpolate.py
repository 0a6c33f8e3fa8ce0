"""Interpolation between the weights of two networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.networks import build
from hyperacuity.networks.interpolate import interpolate


def test_interpolation_goes_from_one_network_to_the_other() -> None:
    torch.manual_seed(0)
    a, b = (build("fsrcnn", {"d": 8, "s": 4, "m": 1}).state_dict() for _ in range(2))
    for name, value in interpolate(a, b, 0).items():
        assert torch.equal(value, a[name])
    for name, value in interpolate(a, b, 1).items():
        assert torch.equal(value, b[name])
    for name, value in interpolate(a, b, 0.2).items():
        torch.testing.assert_close(value, 0.8 * a[name] + 0.2 * b[name])
    half = interpolate({"w": torch.ones(2, dtype=torch.float16)}, {"w": torch.full((2,), 3.0)}, 0.5)
    assert half["w"].dtype == torch.float16
    assert half["w"].tolist() == [2, 2]


def test_networks_of_other_architectures_are_refused() -> None:
    a = {"w": torch.ones(2), "n": torch.tensor(3)}
    assert interpolate(a, {**a, "w": torch.zeros(2)}, 0.5)["n"] == 3
    with pytest.raises(WeightsError, match="1 tensors are in one only, as 'v'"):
        interpolate(a, {**a, "v": torch.ones(1)}, 0.5)
    with pytest.raises(WeightsError, match="'w' is \\(2,\\) in the first, \\(3,\\) in the other"):
        interpolate(a, {**a, "w": torch.ones(3)}, 0.5)
    with pytest.raises(WeightsError, match="'n'"):
        interpolate(a, {**a, "n": torch.tensor(4)}, 0.5)
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="alpha goes from 0"):
            interpolate(a, a, alpha)


def test_interpolation_leaves_its_arguments_alone() -> None:
    network = nn.Linear(2, 2)
    state = network.state_dict()
    interpolate(state, state, 0.0)["weight"].add_(1)
    assert torch.equal(network.weight, state["weight"])
