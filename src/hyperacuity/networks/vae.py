"""VAE: Acute, and what it cannot know: one image, or as many different ones as are asked for.

A conditional variational autoencoder: Kingma, Welling: "Auto-Encoding Variational Bayes", ICLR 2014, arXiv 1312.6114;
Sohn, Lee, Yan: "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015. The
network is our own, not that of one paper; written for Hyperacuity, Apache-2.0. Works on luma.

An Acute network computes features and an image. What the LR does not determine is z, some channels at LR resolution. It
is Gaussian with mean 0 and a variance computed from the features, the prior p(z | LR), since how much is unknown in a
place is known; the posterior q(z | LR, HR) also sees what the HR image contains beyond the LR. A decoder turns features
and z into what is added to Acute's image:

- It is odd in z: what z adds, -z subtracts. So Acute's image is the mean of all that may be drawn, and sampling costs
  it nothing: the backbone learns as it would without z, and the decoder around it.
- It leaves out what bicubic would carry of it into the LR: whatever z is, the image made small again is the LR, as far
  as Acute's is. That is the projection on the null space of the degradation, here by three steps of Chebyshev's
  iteration instead of a solver, so that the network stays one of convolutions.

Train it by `elbo_terms`: a distance of its images to HR plus beta times the sum of its KL. It helps to leave the first
0.05 nat of each dimension free (Kingma et al., arXiv 1606.04934, appendix C.8).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperacuity.networks import acute
from hyperacuity.networks.acute import Acute, AcuteConfig
from hyperacuity.networks.declaration import ConfigFields, Declaration, Weights

# The steps of Chebyshev's iteration, for what bicubic and its transpose leave of what the LR can hold: 0.35 to 1 of it.
# They leave 0.03 of what white noise brings to the LR, at any scale; made for all of it, 0.23 to 1, they leave 0.06.
RELAXATION = (1.046, 1.481, 2.541)


@dataclass(frozen=True)
class VAEConfig:
    scale: int = 2
    features: int = 32  # channels of all layers
    layers: int = 10  # hidden layers of the backbone
    latent: int = 4  # channels of z
    expansion: int = 2  # of the backbone's branches, see `AcuteConfig`
    folded: bool = False  # the backbone in the form for inference


class Terms(NamedTuple):
    """The parts of the evidence lower bound.

    Attributes:
        image: (N, 1, H * scale, W * scale) from a z of the posterior, to be compared with HR.
        kl: (N, latent, H, W) in nats, of each dimension of z, never negative.
        backbone: The image without any z, to be compared with HR too; nothing else trains the backbone.
    """

    image: Tensor
    kl: Tensor
    backbone: Tensor


class VAE(nn.Module):
    """(N, 1, H, W) luma -> (N, 1, H * scale, W * scale), the mean of all that `sample` may draw: always the same."""

    Config = VAEConfig
    channels = 1
    multiple = 1
    bicubic: Tensor

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        f, latent, phases = config.features, config.latent, config.scale**2
        self.scale = config.scale
        self.backbone = Acute(AcuteConfig(config.scale, f, config.layers, config.expansion, config.folded))
        posterior_end = _conv(f, 2 * latent)
        # Little noise at first: otherwise the decoder ignores z before the posterior has learnt to use it.
        nn.init.constant_(posterior_end.bias[latent:], -4.0)  # type: ignore[index]  # it has one
        self.posterior = nn.Sequential(_conv(f + phases, f), nn.ReLU(), _conv(f, f), nn.ReLU(), posterior_end)
        self.prior = nn.Sequential(_conv(f, f), nn.ReLU(), _conv(f, latent, small=True))
        self.decoder = nn.Sequential(
            _conv(f + latent, f), nn.ReLU(), _conv(f, f), nn.ReLU(), _conv(f, phases, small=True, bias=False)
        )
        self.register_buffer("bicubic", _bicubic(config.scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.backbone(x)  # (N, 1, H * scale, W * scale)
        return y

    def sample(self, x: Tensor, generator: torch.Generator | None = None, *, temperature: float = 1.0) -> Tensor:
        """Draw one of the images that `x` may come from, a different one at each call.

        Args:
            x: (N, 1, H, W).
            generator: Of the noise, on the device of `x`.
            temperature: A factor of the noise; 0 gives the output of `forward`, -1 the mirror image of 1 around it.
        """
        shape = (len(x), self.config.latent, *x.shape[2:])
        noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
        return self.draw(x, temperature * noise)

    def draw(self, x: Tensor, noise: Tensor) -> Tensor:
        """Returns the image that some noise stands for.

        Args:
            x: (N, 1, H, W).
            noise: (N, latent, H, W) of variance 1; 0 gives the output of `forward`.
        """
        features = self.backbone.features(x)  # (N, features, H, W)
        z = noise * (_bounded(self.prior(features)) / 2).exp()  # (N, latent, H, W)
        return self.backbone.image(x, features) + self._added(features, z)

    def sampler(self) -> Sampler:
        """Returns `draw` as a network of its own, which is what samples need in ONNX."""
        return Sampler(self)

    def elbo_terms(self, lr: Tensor, hr: Tensor, generator: torch.Generator | None = None) -> Terms:
        """Returns the terms of the evidence lower bound: for training, and to measure what z carries."""
        features = self.backbone.features(lr)  # (N, features, H, W)
        backbone = self.backbone.image(lr, features)  # (N, 1, H * scale, W * scale)
        features = features.detach()
        beyond = functional.pixel_unshuffle(hr, self.scale) - lr  # (N, scale^2, H, W)
        mean, log_variance = self.posterior(torch.cat((features, beyond), 1)).chunk(2, 1)  # (N, latent, H, W) both
        log_variance, prior = _bounded(log_variance), _bounded(self.prior(features))  # (N, latent, H, W) both
        kl = 0.5 * (prior - log_variance + (mean.square() + log_variance.exp()) * (-prior).exp() - 1)
        z = mean + _noise(log_variance, generator)
        return Terms(backbone.detach() + self._added(features, z), kl, backbone)

    @torch.no_grad()
    def folded(self) -> VAE:
        """The same function with one kernel in place of the branches of each of the backbone's layers."""
        if self.config.folded:
            return self
        network = copy.deepcopy(self)
        network.config, network.backbone = replace(self.config, folded=True), self.backbone.folded()
        return network

    def unfolded(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns weights of the folded form as weights of this one.

        Those of a folded Acute become the backbone's; their own names, which this network does not have, stay too.
        """
        backbone = self.backbone.unfolded({name.removeprefix("backbone."): value for name, value in weights.items()})
        return dict(weights) | {f"backbone.{name}": value for name, value in backbone.items()}

    def _added(self, features: Tensor, z: Tensor) -> Tensor:
        """What z adds to the backbone's image, odd in z, and nothing of it in the LR."""
        both = self.decoder(
            torch.cat((torch.cat((features, z), 1), torch.cat((features, -z), 1)))
        )  # (2N, scale^2, H, W)
        count = z.shape[0]  # not `chunk`, by which the exporter to ONNX would fix the size of the batch
        plus, minus = both[:count], both[count:]  # (N, scale^2, H, W) both
        added = functional.pixel_shuffle(plus - minus, self.scale)  # (N, 1, H * scale, W * scale)
        for step in RELAXATION:
            added = added - step * self._enlarged(self._small(added))
        return added

    def _small(self, x: Tensor) -> Tensor:
        margin = (self.bicubic.shape[-1] - self.scale) // 2
        x = functional.pad(x, [margin] * 4, mode="replicate")
        return functional.conv2d(x, self.bicubic, stride=self.scale)  # (N, 1, H, W)

    def _enlarged(self, x: Tensor) -> Tensor:
        """The transpose, weighted so that a constant grey does not change."""
        margin = (self.bicubic.shape[-1] - self.scale) // 2
        x = functional.conv_transpose2d(x, self.bicubic, stride=self.scale, padding=margin)
        return self.scale**2 * x  # (N, 1, H * scale, W * scale)


class Sampler(nn.Module):
    """(N, 1 + latent, H, W) luma and noise of variance 1 -> (N, 1, H * scale, W * scale), a possible image."""

    multiple = 1

    def __init__(self, network: VAE) -> None:
        super().__init__()
        self.network, self.scale, self.channels = network, network.scale, 1 + network.config.latent

    def forward(self, x: Tensor) -> Tensor:
        return self.network.draw(x[:, :1], x[:, 1:])


def _bounded(log_variance: Tensor) -> Tensor:
    """Limited so that it can be exponentiated in half precision too."""
    return log_variance.clamp(-8, 8)


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


def _conv(inputs: int, outputs: int, *, small: bool = False, bias: bool = True) -> nn.Conv2d:
    """He's initialisation; `small`, for what is added to something else, at a tenth."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if small:
        with torch.no_grad():
            layer.weight *= 0.1
    return layer


def _config_from_weights(weights: Weights) -> ConfigFields:
    prefix = "backbone."
    backbone = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return acute.config_from_weights(backbone) | {"latent": weights["posterior.4.weight"].shape[0] // 2}


DECLARATION = Declaration(VAE, _config_from_weights, small={"features": 16, "layers": 2})
