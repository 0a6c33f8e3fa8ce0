from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hyperacuity.errors import UsageError
from hyperacuity.train.optimisation import Average, build, rate, set_rate
from hyperacuity.train.recipe import Cosine, OneCycle, Optimizer, Stairs


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    schedule = Cosine(final_lr=0.1, warm_up=10)
    rates = [rate(step, 110, 1.0, schedule) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_stairs_as_pytorch_has_them() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 7], 0.5)
    for step in range(10):
        assert rate(step, 10, 1.0, Stairs(at=(3, 7))) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert [rate(step, 9, 8.0, Stairs(every=3, factor=0.1)) for step in (0, 2, 3, 8)] == pytest.approx(
        [8, 8, 0.8, 0.08]
    )


def test_one_cycle_rises_and_falls_as_pytorch_has_it() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=101, final_div_factor=25)
    schedule = OneCycle(rise=0.3, begin=0.04, final_lr=0.04 / 25)
    mine = [rate(step, 101, 1.0, schedule) for step in range(101)]
    expected = []
    for _ in range(101):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        if len(expected) < 101:
            theirs.step()
    assert mine == pytest.approx(expected, abs=0.03)
    peak = mine.index(max(mine))
    assert all(a < b for a, b in itertools.pairwise(mine[:peak]))
    assert all(a > b for a, b in itertools.pairwise(mine[peak:]))


def test_some_layers_learn_slower() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = build(network, Optimizer(lr=1.0, slower={"1.": 0.1}))
    set_rate(optimizer, 0.5)
    assert {group["part"]: group["lr"] for group in optimizer.param_groups} == {1.0: 0.5, 0.1: 0.05}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4
    with pytest.raises(UsageError, match="no parameter begins with '2'"):
        build(network, Optimizer(slower={"2": 0.1}))


def test_the_average_is_that_of_pytorch() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = Average(network, 0.9)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))  # type: ignore[no-untyped-call]
    for step in range(5):
        network(torch.rand(2, 1, 8, 8))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.rand_like(parameter))
        average.update(first=step == 0)
        theirs.update_parameters(network)
    for name, value in average.module.state_dict().items():
        torch.testing.assert_close(theirs.module.state_dict()[name], value)
