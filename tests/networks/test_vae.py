"""The variational network: what it draws, its loss, and what z holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.test_networks import built
from torch.nn import functional

from hyperacuity.networks import build
from hyperacuity.resize import resize


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
    image, kl, backbone = network.elbo_terms(lr, hr)
    ((image - hr).square().mean() + kl.mean()).backward()
    assert all(p.grad is None for p in network.backbone.parameters())
    torch.testing.assert_close(backbone, network.backbone(lr))


def test_the_kl_is_that_of_pytorch() -> None:
    network: Any = built("vae")
    lr, hr = torch.rand(2, 1, 6, 5), torch.rand(2, 1, 12, 10)
    image, kl, backbone = network.elbo_terms(lr, hr)
    assert image.shape == backbone.shape == hr.shape
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
        image, kl, backbone = network.elbo_terms(lr, hr)
        loss = (image - hr).square().mean() / (2 * 0.05**2) + kl.mean() / 4 + (backbone - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    lr, hr = draw()
    with torch.inference_mode():
        image, kl, _ = network.elbo_terms(lr, hr)
        blind = (network(lr) - hr).abs().mean()
    assert kl.mean() > 0.3  # a coin is 0.69 nat
    assert (image - hr).abs().mean() < 0.5 * blind
