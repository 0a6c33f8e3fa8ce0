"""VAE: a residual super-resolution VAE, small enough for CPUs: one picture, or as many as one asks for.

A conditional variational autoencoder: Kingma, Welling: "Auto-Encoding Variational Bayes", ICLR 2014, arXiv 1312.6114;
Sohn, Lee, Yan: "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015. What
is below is our own, from no one paper; written for Hyperacuity, Apache-2.0. Works on luma.

A deterministic backbone gives features and a picture. What the LR cannot tell is z, some channels at LR resolution,
Gaussian: the prior p(z | LR) knows the backbone's features, the posterior q(z | LR, HR) also sees what the HR picture
has beyond the enlarged LR. A decoder turns features and z into what is added to the backbone's picture, less what
bicubic would bring of it to the LR: whatever z is, the picture made small again is the LR, as far as the backbone's is.
That is the projection on the null space of the degradation, here by three steps of Chebyshev's iteration instead of a
solver, so that the network stays one of convolutions.

Train it by `elbo_terms`: a distance of its pictures to HR plus beta times the sum of its KL, where it pays to let the
first 0.05 nat of each dimension go free (Kingma et al., arXiv 1606.04934, appendix C.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# The steps of Chebyshev's iteration, for what bicubic and its transpose leave of what the LR can hold: 0.35 to 1 of it.
# They leave 0.03 of what white noise brings to the LR, at any scale; made for all of it, 0.23 to 1, they leave 0.06.
RELAXATION = (1.046, 1.481, 2.541)


@dataclass(frozen=True)
class VAEConfig:
    scale: int = 2
    features: int = 48  # channels of all layers
    layers: int = 6  # hidden layers of the backbone
    latent: int = 4  # channels of z


class Terms(NamedTuple):
    """What the bound is made of. picture: (N, 1, H * scale, W * scale) from a z of the posterior, to be compared with
    HR. kl: (N, latent, H, W) in nats, of each dimension of z, never negative. backbone: the picture without any z,
    which is to be compared with HR too.
    """

    picture: Tensor
    kl: Tensor
    backbone: Tensor


class VAE(nn.Module):
    """(N, 1, H, W) luma -> (N, 1, H * scale, W * scale), decoded from the mean of the prior: always the same."""

    Config = VAEConfig
    channels = 1
    multiple = 1
    bicubic: Tensor

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        f, phases = config.features, config.scale**2
        self.scale = config.scale
        self.head = nn.Sequential(_conv(1, f), nn.ReLU())
        self.trunk = nn.Sequential(*(nn.Sequential(_conv(f, f), nn.ReLU()) for _ in range(config.layers)))
        self.base = _conv(f, phases, small=True)
        self.prior = nn.Sequential(_conv(f, f), nn.ReLU(), _conv(f, 2 * config.latent, small=True))
        self.posterior = nn.Sequential(
            _conv(f + phases, f), nn.ReLU(), _conv(f, f), nn.ReLU(), _conv(f, 2 * config.latent, small=True)
        )
        self.decoder = nn.Sequential(
            _conv(f + config.latent, f), nn.ReLU(), _conv(f, f), nn.ReLU(), _conv(f, phases, small=True)
        )
        self.register_buffer("bicubic", _bicubic(config.scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        features = self._features(x)  # (N, features, H, W)
        mean, _ = _gaussian(self.prior(features))  # (N, latent, H, W)
        return self._decode(x, features, mean)  # (N, 1, H * scale, W * scale)

    def sample(self, x: Tensor, generator: torch.Generator | None = None, *, temperature: float = 1.0) -> Tensor:
        """One picture of those that `x` may come from, another at each call.

        generator: where the noise comes from, on the device of `x`. temperature: times the prior's deviation; at 0 it
        is what `forward` gives.
        """
        features = self._features(x)  # (N, features, H, W)
        mean, log_variance = _gaussian(self.prior(features))  # (N, latent, H, W) both
        return self._decode(x, features, mean + temperature * _noise(log_variance, generator))

    def elbo_terms(self, lr: Tensor, hr: Tensor, generator: torch.Generator | None = None) -> Terms:
        """The two terms of the evidence's lower bound: for training, and to measure what z carries."""
        features = self._features(lr)  # (N, features, H, W)
        beyond = functional.pixel_unshuffle(hr, self.scale) - lr  # (N, scale^2, H, W)
        mean, log_variance = _gaussian(self.posterior(torch.cat((features, beyond), 1)))  # (N, latent, H, W) both
        prior_mean, prior_log_variance = _gaussian(self.prior(features))  # (N, latent, H, W) both
        distance = (mean - prior_mean).square() + log_variance.exp()
        kl = 0.5 * (prior_log_variance - log_variance + distance * (-prior_log_variance).exp() - 1)
        backbone = functional.pixel_shuffle(lr + self.base(features), self.scale)  # (N, 1, H * scale, W * scale)
        return Terms(self._decode(lr, features, mean + _noise(log_variance, generator)), kl, backbone)

    def _features(self, x: Tensor) -> Tensor:
        x = self.head(x)  # (N, features, H, W)
        y: Tensor = self.trunk(x)  # (N, features, H, W)
        return x + y

    def _decode(self, x: Tensor, features: Tensor, z: Tensor) -> Tensor:
        known = functional.pixel_shuffle(x + self.base(features), self.scale)  # (N, 1, H * scale, W * scale)
        added = functional.pixel_shuffle(self.decoder(torch.cat((features, z), 1)), self.scale)
        for step in RELAXATION:
            added = added - step * self._enlarged(self._small(added))
        return known + added

    def _small(self, x: Tensor) -> Tensor:
        margin = (self.bicubic.shape[-1] - self.scale) // 2
        x = functional.pad(x, [margin] * 4, mode="replicate")
        return functional.conv2d(x, self.bicubic, stride=self.scale)  # (N, 1, H, W)

    def _enlarged(self, x: Tensor) -> Tensor:
        """The transpose, so weighted that a grey stays what it is."""
        margin = (self.bicubic.shape[-1] - self.scale) // 2
        x = functional.conv_transpose2d(x, self.bicubic, stride=self.scale, padding=margin)
        return self.scale**2 * x  # (N, 1, H * scale, W * scale)


def _gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and logarithm of the variance, the latter where it can be exponentiated in half precision too."""
    mean, log_variance = x.chunk(2, 1)
    return mean, log_variance.clamp(-8, 8)


def _noise(log_variance: Tensor, generator: torch.Generator | None) -> Tensor:
    noise = torch.randn(log_variance.shape, generator=generator, device=log_variance.device, dtype=log_variance.dtype)
    return noise * (log_variance / 2).exp()


def _bicubic(scale: int) -> Tensor:
    """(1, 1, K, K): MATLAB's kernel for shrinking, Keys' cubic of a = -0.5 widened by the scale."""
    count = 4 * scale - scale % 2
    x = (torch.arange(count) - (count - 1) / 2).abs() / scale
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    kernel = torch.where(x <= 1, near, far)
    kernel = kernel / kernel.sum()
    return torch.outer(kernel, kernel)[None, None]


def _conv(inputs: int, outputs: int, *, small: bool = False) -> nn.Conv2d:
    """He's initialisation; `small`, for what is added to something else, at a tenth."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has one
    if small:
        with torch.no_grad():
            layer.weight *= 0.1
    return layer
