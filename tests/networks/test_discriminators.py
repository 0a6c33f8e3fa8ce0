"""Over the table of discriminators: shapes, gradients, the counts of the authors' networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hyperacuity.errors import UsageError
from hyperacuity.networks.discriminators import DISCRIMINATORS
from hyperacuity.networks.discriminators.vgg import VGGConfig, VGGDiscriminator

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"features": 4},
    "vgg": {"features": 4, "size": 32, "stages": 3},
}
SIDE = 32


def built(name: str, **config: Any) -> nn.Module:
    torch.manual_seed(0)
    network: Any = DISCRIMINATORS[name]
    made: nn.Module = network(network.Config(**(SMALL[name] | config)))
    return made


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_logit_for_each_picture_or_pixel(name: str, channels: int) -> None:
    logits = built(name, channels=channels)(torch.rand(2, channels, SIDE, SIDE))
    assert logits.shape == ((2, 1) if name == "vgg" else (2, 1, SIDE, SIDE))


def test_the_unet_judges_unshuffled_images_at_a_quarter_of_the_work() -> None:
    torch.manual_seed(0)
    network: Any = built("unet", unshuffle=2)
    x = torch.rand(1, 3, SIDE, SIDE)
    logits = network(x)
    assert logits.shape == (1, 1, SIDE // 2, SIDE // 2)
    plain: Any = built("unet", channels=12)
    plain.load_state_dict(network.state_dict())
    blocks = torch.stack([x[:, c, row::2, column::2] for c in range(3) for row in (0, 1) for column in (0, 1)], 1)
    assert torch.equal(plain.eval()(blocks), network.eval()(x))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_every_parameter_learns_and_so_does_the_picture(name: str) -> None:
    network = built(name)
    x = torch.rand(4, 3, SIDE, SIDE, requires_grad=True)
    target = torch.rand_like(network(x))
    nn.functional.binary_cross_entropy_with_logits(network(x), target).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.abs().sum() > 0, label


@pytest.mark.parametrize(
    ("name", "config", "count"),
    [
        ("unet", {}, 4_376_897),
        ("vgg", {}, 14_499_401),
        ("vgg", {"size": 96, "stages": 4, "kernel": 3, "hidden": 1024}, 23_563_649),
    ],
)
def test_parameters_are_as_many_as_the_authors_count(name: str, config: dict[str, Any], count: int) -> None:
    network: Any = DISCRIMINATORS[name]
    assert sum(p.numel() for p in network(network.Config(**config)).parameters()) == count


def test_the_unet_is_bounded_by_its_spectral_norms() -> None:
    network = built("unet").eval()
    for layer in ("conv1", "conv4", "conv8"):
        weight = network.get_submodule(layer).weight
        assert isinstance(weight, torch.Tensor)
        assert torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=0.1)


def test_the_unet_takes_any_size_that_divides_by_8() -> None:
    assert built("unet")(torch.rand(1, 3, 24, 40)).shape == (1, 1, 24, 40)


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(UsageError, match="100 cannot be halved 5 times"):
        VGGDiscriminator(VGGConfig(size=100))
