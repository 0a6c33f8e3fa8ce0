"""The Restorer: it begins as the nearest-neighbour enlargement, and computes its branches at two resolutions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from hyperacuity.networks.restorer import Restorer, RestorerConfig


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_it_begins_as_the_nearest_neighbour_enlargement(scale: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 12, 12)
    difference = Restorer(RestorerConfig(scale))(x) - functional.interpolate(x, scale_factor=float(scale))
    assert difference.abs().mean() < 0.05


def test_it_restores_without_enlarging() -> None:
    small = RestorerConfig(1, features=8, layers=2, fine_features=4, fine_layers=1)
    assert Restorer(small)(torch.rand(2, 3, 10, 14)).shape == (2, 3, 10, 14)


def test_parameters_of_the_default_form_for_inference() -> None:
    assert sum(each.numel() for each in Restorer(RestorerConfig(folded=True)).parameters()) == 290_224


def test_a_folded_network_folds_to_itself() -> None:
    folded = Restorer(RestorerConfig(features=8, layers=2, fine_features=4, fine_layers=1)).folded()
    assert folded.config.folded
    assert folded.folded() is folded
