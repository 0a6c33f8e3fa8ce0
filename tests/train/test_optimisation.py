from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hyperacuity.errors import UsageError
from hyperacuity.train.muon import Muon, orthogonal
from hyperacuity.train.optimisation import Average, build, rate, set_rate
from hyperacuity.train.recipe import Cosine, OneCycle, Optimizer, Stairs


def test_the_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    schedule = Cosine(final_lr=0.1, warm_up=10)
    rates = [rate(step, 110, 1.0, schedule) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_stairs_equal_pytorchs() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 7], 0.5)
    for step in range(10):
        assert rate(step, 10, 1.0, Stairs(milestones=(3, 7))) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert [rate(step, 9, 8.0, Stairs(every=3, factor=0.1)) for step in (0, 2, 3, 8)] == pytest.approx(
        [8, 8, 0.8, 0.08]
    )


def test_one_cycle_equals_pytorchs() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=101, final_div_factor=25)
    schedule = OneCycle(rise_fraction=0.3, initial_factor=0.04, final_lr=0.04 / 25)
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


def test_rate_factors_slow_down_layers() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = build(network, Optimizer(lr=1.0, rate_factors={"1.": 0.1}))
    set_rate(optimizer, 0.5)
    assert {group["part"]: group["lr"] for group in optimizer.param_groups} == {1.0: 0.5, 0.1: 0.05}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4
    with pytest.raises(UsageError, match="no parameter begins with '2'"):
        build(network, Optimizer(rate_factors={"2": 0.1}))


@pytest.mark.parametrize("kind", ["adam", "muon", "sgd"])
def test_layers_with_a_rate_factor_of_zero_do_not_change(kind: Any) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = build(network, Optimizer(kind=kind, lr=1.0, rate_factors={"0.": 0}))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.rand(3, 2)).square().sum().backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"1.weight", "1.bias"}
    with pytest.raises(UsageError, match="no parameter is left to learn"):
        build(network, Optimizer(rate_factors={"0.": 0, "1.": 0}))


def test_the_average_equals_pytorchs() -> None:
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


def test_muon_steps_like_pytorchs() -> None:
    torch.manual_seed(0)
    start = torch.randn(6, 20)
    mine, theirs = nn.Parameter(start.reshape(6, 5, 2, 2).clone()), nn.Parameter(start.clone())
    own = Muon([mine], 0.01, momentum=0.9)
    other = torch.optim.Muon([theirs], 0.01, weight_decay=0, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        gradient = torch.randn(6, 20)
        mine.grad, theirs.grad = gradient.reshape(6, 5, 2, 2), gradient.clone()
        own.step()
        other.step()  # type: ignore[no-untyped-call]
    moved = theirs - start
    # Theirs rounds to bfloat16, whose numbers have 8 bits.
    torch.testing.assert_close(
        mine.reshape(6, 20) - start, moved, atol=0.03 * float(moved.detach().abs().max()), rtol=0
    )


@pytest.mark.parametrize("shape", [(3, 4, 20), (2, 30, 6), (1, 5, 5)])
def test_muon_updates_are_orthogonal(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    matrices[0, 0] *= 30  # one direction outweighs all others
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = orthogonal(matrices)
    values = torch.einsum("nri,nrc,nic->ni", left, turned, right)
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert torch.equal(orthogonal(torch.zeros(shape)), torch.zeros(shape))


def test_muon_uses_adam_for_parameters_other_than_kernels() -> None:
    torch.manual_seed(0)
    start = [torch.randn(7), torch.randn(1, 1, 3, 3)]
    mine, theirs = ([nn.Parameter(each.clone()) for each in start] for _ in range(2))
    own, other = Muon(mine, 0.01), torch.optim.AdamW(theirs, 0.01, weight_decay=0.1)
    own.param_groups[0]["weight_decay"] = 0.1
    for _ in range(5):
        for left, right in zip(mine, theirs, strict=True):
            left.grad = torch.randn_like(left)
            right.grad = left.grad.clone()
        own.step()
        other.step()
    for left, right in zip(mine, theirs, strict=True):
        torch.testing.assert_close(left, right)


def test_muon_continues_from_its_state() -> None:
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)) for _ in range(2)]
    optimizers = [build(network, Optimizer(kind="muon", lr=0.01, rate_factors={"2.": 0.1})) for network in networks]
    networks[1].load_state_dict(networks[0].state_dict())

    def learn(n: int) -> None:
        torch.manual_seed(steps)
        optimizers[n].zero_grad()
        networks[n](torch.rand(2, 1, 9, 9)).square().mean().backward()
        optimizers[n].step()

    for steps in range(6):
        learn(0)
        if steps == 2:
            networks[1].load_state_dict(networks[0].state_dict())
            optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
        if steps > 2:
            learn(1)
    for left, right in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(left, right)
