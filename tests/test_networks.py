"""What every network of the table must fulfil, and what holds for one network only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.networks import NETWORKS, PublishedCount, as_network, build

# Parameters as the authors count them, of every network that declares so.
PUBLISHED = [(name, published) for name, network in NETWORKS.items() for published in network.published_counts]


def built(name: str, **config: Any) -> nn.Module:
    torch.manual_seed(0)
    return build(name, {**NETWORKS[name].small, **config})


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return built(request.param)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_scale_times_the_input(name: str) -> None:
    for scale in NETWORKS[name].scales:
        network = built(name, **({} if scale == 1 else {"scale": scale})).eval()
        declared = as_network(network)
        assert declared.scale == scale
        with torch.inference_mode():
            for rows, columns in ((2, 3), (3, 1), (1, 1)):
                height, width = 7 * declared.multiple * rows, 8 * declared.multiple * columns
                answer = network(torch.zeros(2, declared.channels, height, width))
                assert answer.shape == (2, declared.channels, height * scale, width * scale)


def test_every_parameter_learns(network: nn.Module) -> None:
    declared = as_network(network)
    x = torch.rand(2, declared.channels, 24, 24)
    y = torch.rand(2, declared.channels, 24 * declared.scale, 24 * declared.scale)
    terms: Any = getattr(network, "elbo_terms", None)
    if terms is not None:
        image, kl, backbone = terms(x, y)
        loss = nn.functional.l1_loss(image, y) + kl.mean() + nn.functional.l1_loss(backbone, y)
    else:
        loss = nn.functional.l1_loss(network(x), y)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # One number for all scores of a head changes nothing behind a softmax: its gradient is 0 but for rounding.
        assert parameter.grad.abs().sum() > 0 or name.endswith("pos.pos3.2.bias"), name


def test_weights_survive_their_file(network: nn.Module, tmp_path: Path) -> None:
    safetensors.torch.save_file(network.state_dict(), tmp_path / "w.safetensors")
    loaded = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert loaded.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(loaded[name], value)


@pytest.mark.parametrize(("name", "published"), PUBLISHED)
def test_parameters_are_as_many_as_published(name: str, published: PublishedCount) -> None:
    with torch.device("meta"):
        network = build(name, published.config)
    counted = (p for p in network.parameters() if published.biases or p.dim() > 1)
    assert sum(p.numel() for p in counted) == published.count


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fsrcnn'"):
        build("fsrcn", {})


def test_a_foreign_config_is_refused() -> None:
    with pytest.raises(WeightsError, match="cannot be built"):
        build("fsrcnn", {"depth": 3})


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("srcnn", {"middle": 2}),
        ("srcnn", {"padding": "mirror"}),
        ("srcnn", {"channels": 2}),
        ("rcan", {"scale": 5}),
        ("plksr", {"activation": "relu"}),
        ("msrresnet", {"scale": 8}),
        ("msrresnet", {"upscaled": "relu"}),
        ("espcn", {"activation": "gelu"}),
        ("espcn", {"padding": "mirror"}),
        ("srresnet", {"scale": 5}),
        ("srresnet", {"output": "sigmoid"}),
        ("edsr", {"scale": 5}),
        ("mdsr", {"scale": 8}),
    ],
)
def test_an_impossible_config_is_refused(name: str, config: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="cannot be built"):
        build(name, config)


def test_mdsr_holds_all_its_scales_and_takes_one() -> None:
    network: Any = built("mdsr", scales=(2, 3, 4))
    x = torch.rand(1, 3, 9, 12)
    for scale in (2, 3, 4):
        network.scale = scale
        answer = network(x)
        assert answer.shape == (1, 3, 9 * scale, 12 * scale)
        (answer - 0.5).abs().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("name", ["srcnn", "vdsr"])
def test_those_on_an_enlarged_image_begin_with_it(name: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        assert (build(name, {})(x) - x).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("name", "config", "layer", "carrying"),
    [
        ("srcnn", {}, "extract", 1),
        ("espcn", {}, "extract", 1),
        ("espcn", {"activation": "relu", "channels": 3}, "extract", 3),
        ("acute", {}, "first", 0),
        ("acute", {"folded": True}, "first", 0),
    ],
)
def test_what_they_begin_to_see_does_not_depend_on_the_level_of_grey(
    name: str, config: dict[str, Any], layer: str, carrying: int
) -> None:
    network = build(name, config)
    first, x = network.get_submodule(layer), torch.rand(1, as_network(network).channels, 16, 16)
    with torch.inference_mode():
        seen, brighter = (first(x)[:, carrying:, 5:-5, 5:-5] for x in (x, x + 0.3))
    torch.testing.assert_close(seen, brighter)
    assert seen.std() > 0.1


@pytest.mark.parametrize(
    ("name", "config", "off"),
    [
        ("espcn", {}, 0.01),
        ("espcn", {"activation": "relu"}, 0.01),
        ("espcn", {"channels": 3, "scale": 3}, 0.01),
        ("residual_transposed", {}, 0.01),
        ("transposed", {}, 0.03),  # a sigmoid is a line only at middle grey
        ("transposed", {"scale": 3}, 0.03),
        ("subpixel", {"scale": 3}, 0.03),
        ("srresnet", {"scale": 2, "blocks": 4}, 0.01),
        ("srresnet", {"scale": 3, "blocks": 4, "output": "tanh", "joint": "prelu"}, 0.03),
        ("edsr", {}, 0.01),
        ("edsr", {"scale": 3}, 0.01),
        ("mdsr", {"scale": 3, "blocks": 4}, 0.01),
    ],
)
def test_they_begin_near_linear_interpolation(name: str, config: dict[str, Any], off: float) -> None:
    torch.manual_seed(0)
    network = build(name, config).eval()
    declared = as_network(network)
    x = nn.functional.interpolate(torch.rand(1, declared.channels, 8, 8), scale_factor=4, mode="bicubic").clamp(0, 1)
    with torch.inference_mode():
        ours = network(x)
    linear = nn.functional.interpolate(x, scale_factor=declared.scale, mode="bilinear", align_corners=False)
    inside = slice(3 * declared.scale, -3 * declared.scale)
    assert (ours - linear)[..., inside, inside].abs().mean() < off


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fsrcnn_begins_as_linear_interpolation(scale: int) -> None:
    network = build("fsrcnn", {"scale": scale})
    x = torch.rand(1, 1, 12, 12)
    with torch.inference_mode():
        network.get_parameter("deconvolve.weight")[1:] = 0
        ours = network(x)
        flat = network(torch.ones_like(x))
    inside = slice(2 * scale, -2 * scale)
    torch.testing.assert_close(flat[..., inside, inside], torch.ones_like(flat)[..., inside, inside])
    if scale == 4:
        return  # nine taps do not hold all of the kernel
    linear = nn.functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(ours[..., inside, inside], linear[..., inside, inside])


# What holds for one network only.


@pytest.mark.parametrize(("scale", "multiple"), [(1, 4), (2, 2), (4, 1)])
def test_rrdb_takes_its_scale_back_before_it_begins(scale: int, multiple: int) -> None:
    network = built("rrdb", scale=scale)
    assert as_network(network).multiple == multiple
    assert tuple(network.get_parameter("conv_first.weight").shape) == (16, 3 * multiple**2, 3, 3)
    assert network(torch.rand(1, 3, 8, 12)).shape == (1, 3, 8 * scale, 12 * scale)


def test_a_scale_that_cannot_be_is_refused() -> None:
    with pytest.raises(WeightsError, match="not x3"):
        build("rrdb", {"scale": 3})
    with pytest.raises(WeightsError, match="not x5"):
        build("swinir", {"scale": 5, "upsampler": "pixelshuffle"})
    with pytest.raises(WeightsError, match="there are prelu"):
        build("compact", {"activation": "gelu"})
    with pytest.raises(WeightsError, match="there are pixelshuffledirect"):
        build("swinir", {"upsampler": "nearest"})
    with pytest.raises(WeightsError, match="not x3"):
        build("swinir", {"scale": 3, "upsampler": "nearest+conv"})
    with pytest.raises(WeightsError, match="there are 1conv"):
        build("swinir", {"joint": "2conv"})


@pytest.mark.parametrize("activation", ["prelu", "relu", "leakyrelu"])
def test_compact_adds_the_nearest_neighbour(activation: str) -> None:
    network = built("compact", activation=activation, scale=3)
    network.get_parameter("body.8.weight").data.zero_()
    network.get_parameter("body.8.bias").data.zero_()
    x = torch.rand(1, 3, 5, 7)
    assert torch.equal(network(x), functional.interpolate(x, scale_factor=3.0, mode="nearest"))


def test_imdn_learns_from_a_flat_picture() -> None:
    network = built("imdn")
    network(torch.full((1, 3, 8, 8), 0.5)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
