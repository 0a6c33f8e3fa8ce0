"""Over the whole table: what every network must be, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.networks import NETWORKS, build, described

# Weights without biases and activations, as the papers count them.
PUBLISHED = [
    ("fsrcnn", {"d": 56, "s": 12, "m": 4}, 12_464),
    ("fsrcnn", {"d": 48, "s": 12, "m": 2}, 8_832),
    ("fsrcnn", {"d": 32, "s": 5, "m": 1}, 3_937),
]
# The scales that a network is built for, where they are others than these; 1 stands for one that is given an image
# already enlarged.
SCALES: dict[str, tuple[int, ...]] = {}
# Configs that make the large ones small enough for every test.
SMALL: dict[str, dict[str, int]] = {}


def built(name: str, **config: int) -> nn.Module:
    torch.manual_seed(0)
    return build(name, SMALL.get(name, {}) | config)


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return built(request.param)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_scale_times_the_input(name: str) -> None:
    for scale in SCALES.get(name, (2, 3, 4)):
        network = built(name, **({} if scale == 1 else {"scale": scale})).eval()
        told = described(network)
        assert told.scale == scale
        with torch.inference_mode():
            for rows, columns in ((2, 3), (3, 1), (1, 1)):
                height, width = 7 * told.multiple * rows, 8 * told.multiple * columns
                answer = network(torch.zeros(2, told.channels, height, width))
                assert answer.shape == (2, told.channels, height * scale, width * scale)


def test_every_parameter_learns(network: nn.Module) -> None:
    told = described(network)
    x = torch.rand(2, told.channels, 24, 24)
    y = torch.rand(2, told.channels, 24 * told.scale, 24 * told.scale)
    nn.functional.l1_loss(network(x), y).backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_weights_survive_their_file(network: nn.Module, tmp_path: Path) -> None:
    safetensors.torch.save_file(network.state_dict(), tmp_path / "w.safetensors")
    loaded = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert loaded.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(loaded[name], value)


@pytest.mark.parametrize(("name", "config", "count"), PUBLISHED)
def test_weights_are_as_many_as_published(name: str, config: dict[str, int], count: int) -> None:
    weights = (p for p in build(name, config).parameters() if p.dim() > 1)
    assert sum(p.numel() for p in weights) == count


def test_published_weights_of_fsrcnn_fit_and_give_their_figure(shared: Path) -> None:
    """The x2 weights of yjn870/FSRCNN-pytorch, whose README reports 37.12 dB on Set5."""
    from hyperacuity.train.data import files, luma_of, pair
    from hyperacuity.train.loop import quality

    foreign = torch.load(shared / "weights/FSRCNN_yjn870_x2.pth", map_location="cpu", weights_only=True)
    ours = build("fsrcnn", {})
    assert [tuple(v.shape) for v in foreign.values()] == [tuple(v.shape) for v in ours.state_dict().values()]
    ours.load_state_dict(dict(zip(ours.state_dict(), foreign.values(), strict=True)))
    held_out = [pair(luma_of(path), 2, exact=True) for path in files([shared / "data/benchmarks/Set5"])]
    assert quality(ours, held_out, 2) == pytest.approx(37.11, abs=0.02)


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'fsrcnn'"):
        build("fsrcn", {})


def test_a_foreign_config_is_refused() -> None:
    with pytest.raises(WeightsError, match="cannot be built"):
        build("fsrcnn", {"depth": 3})


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
