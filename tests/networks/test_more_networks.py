"""What holds for one network only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.test_networks import built
from torch import nn
from torch.nn import functional

from hyperacuity import export
from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.networks import NETWORKS, as_network, build
from hyperacuity.networks.interpolate import interpolate
from hyperacuity.resize import resize


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


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_swinir_goes_by_steps(scale: int) -> None:
    network = built("swinir", scale=scale, upsampler="pixelshuffle")
    assert network(torch.rand(1, 3, 8, 16)).shape == (1, 3, 8 * scale, 16 * scale)


def test_swinir_sees_no_pixel_of_the_opposite_border() -> None:
    """The windows that wrap around are masked: a change at one border does not reach the other."""
    network = built("swinir").eval()
    x = torch.rand(1, 3, 48, 48)
    y = x.clone()
    y[..., :8, :] += 0.5
    with torch.inference_mode():
        difference = (network(y) - network(x)).abs().amax((0, 1, 3))  # (2 * 48)
    assert difference[:16].min() > 0
    assert difference[-32:].max() == 0


def test_swinir_attends_as_its_paper_writes() -> None:
    """One layer against attention computed pixel by pixel (Swin Transformer, equation 4)."""
    layer: Any = built("swinir", window=2).get_submodule("layers.0.residual_group.blocks.0.attn")
    x = torch.randn(1, 4, 12)
    query, key, value = layer.qkv(x)[0].split(12, 1)
    expected = torch.zeros(4, 12)
    for head in range(2):
        part = slice(6 * head, 6 * head + 6)
        for i in range(4):
            bias = [(i // 2 - j // 2 + 1) * 3 + (i % 2 - j % 2 + 1) for j in range(4)]
            scores = torch.stack([query[i, part] @ key[j, part] / 6**0.5 for j in range(4)])
            weights = (scores + layer.relative_position_bias_table[bias, head]).softmax(0)
            expected[i, part] = weights @ value[:, part]
    torch.testing.assert_close(layer(x, None)[0], layer.proj(expected))


def test_the_halo_of_windows_is_measured_from_their_edges() -> None:
    """Three 3x3 convolutions behind the shifted windows, which end 4 pixels beyond those in place, and one before."""
    assert export.measure_halo(built("swinir")) == 8 + 1


def test_a_halo_beyond_the_probe_is_measured_on_strips() -> None:
    network = build("edsr", {"blocks": 24, "width": 4})
    assert export.measure_halo(network) > 48


def test_the_halo_of_imdn_is_that_of_its_convolutions() -> None:
    assert export.measure_halo(built("imdn")) == 1 + 2 * 4 + 1 + 1


def test_those_that_look_at_the_whole_picture_say_so() -> None:
    for name in NETWORKS:
        assert (name == "imdn") == any(getattr(module, "whole", False) for module in built(name).modules())


def test_the_vae_draws_pictures_around_its_mean() -> None:
    network: Any = built("vae").eval()
    x = torch.rand(1, 1, 10, 12)
    with torch.inference_mode():
        fixed = network(x)
        assert torch.equal(network(x), fixed)
        assert torch.equal(network.sample(x, temperature=0.0), fixed)
        torch.testing.assert_close(network.backbone(x), fixed)
        first, again = (network.sample(x, torch.Generator().manual_seed(1)) for _ in range(2))
        other = network.sample(x, torch.Generator().manual_seed(2))
    assert first.shape == fixed.shape
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-4


def test_what_one_draw_adds_its_mirror_image_takes_off() -> None:
    network: Any = built("vae").eval()
    x = torch.rand(2, 1, 10, 12)
    with torch.inference_mode():
        a, b = (network.sample(x, torch.Generator().manual_seed(1), temperature=t) for t in (1.0, -1.0))
        torch.testing.assert_close((a + b) / 2, network(x))
    assert (a - b).abs().max() > 1e-4


def test_the_backbone_learns_as_it_would_without_z() -> None:
    network: Any = built("vae")
    lr, hr = torch.rand(2, 1, 6, 5), torch.rand(2, 1, 12, 10)
    picture, kl, backbone = network.elbo_terms(lr, hr)
    ((picture - hr).square().mean() + kl.mean()).backward()
    assert all(p.grad is None for p in network.backbone.parameters())
    torch.testing.assert_close(backbone, network.backbone(lr))


def test_the_kl_is_that_of_pytorch() -> None:
    network: Any = built("vae")
    lr, hr = torch.rand(2, 1, 6, 5), torch.rand(2, 1, 12, 10)
    picture, kl, backbone = network.elbo_terms(lr, hr)
    assert picture.shape == backbone.shape == hr.shape
    assert kl.shape == (2, 4, 6, 5)
    assert kl.min() >= 0
    beyond = functional.pixel_unshuffle(hr, 2) - lr
    seen = network.backbone.features(lr)
    mean, log_variance = network.posterior(torch.cat((seen, beyond), 1)).chunk(2, 1)
    posterior = torch.distributions.Normal(mean, (log_variance.clamp(min=-8) / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), (network.prior(seen) / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, prior)
    torch.testing.assert_close(kl, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_z_adds_is_hardly_seen_in_the_lr(scale: int) -> None:
    torch.manual_seed(0)
    network: Any = build("vae", {"scale": scale, "features": 8, "layers": 1})
    x = torch.rand(1, 1, 40, 40)
    with torch.no_grad():
        network.decoder[-1].weight *= 100  # so that it adds much
        fixed, other = network(x), network.sample(x, torch.Generator().manual_seed(1), temperature=3.0)
    added = (other - fixed)[0, 0].numpy()
    seen = resize(added, size=(40, 40))
    assert added.std() > 0.01
    assert seen.std() < 0.05 * added.std()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_vae_is_small(scale: int) -> None:
    assert sum(p.numel() for p in build("vae", {"scale": scale}).parameters()) < 500_000


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors are many times slower on two threads when another process has one of the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_vae_puts_into_z_what_the_lr_does_not_tell() -> None:
    """HR = LR plus or minus a checkerboard, by a coin for each pixel: only the posterior can know."""
    torch.manual_seed(0)
    network: Any = build("vae", {"features": 16, "layers": 1, "latent": 1})
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    checker = torch.tensor([[0.2, -0.2], [-0.2, 0.2]])

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        lr = torch.rand(8, 1, 8, 8)
        coin = torch.randint(0, 2, lr.shape).mul(2).sub(1).float()
        return lr, torch.kron(lr, torch.ones(2, 2)) + torch.kron(coin, checker)

    for _ in range(300):
        lr, hr = draw()
        picture, kl, backbone = network.elbo_terms(lr, hr)
        loss = (picture - hr).square().mean() / (2 * 0.05**2) + kl.mean() / 4 + (backbone - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    lr, hr = draw()
    with torch.inference_mode():
        picture, kl, _ = network.elbo_terms(lr, hr)
        blind = (network(lr) - hr).abs().mean()
    assert kl.mean() > 0.3  # a coin is 0.69 nat
    assert (picture - hr).abs().mean() < 0.5 * blind


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


def test_networks_that_are_strangers_are_not_interpolated() -> None:
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
