"""The bound that a variational network learns by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hyperacuity.train.losses import Criterion
from hyperacuity.train.recipe import Variational


def kl(nats: Tensor, free_bits: float) -> Tensor:
    """Compute the Kullback-Leibler term for each LR pixel, summed over channels.

    Args:
        nats: (N, latent, H, W).
        free_bits: Nats of each channel's mean, over batch and positions, that cost nothing.

    Source: Kingma et al., arXiv 1606.04934, appendix C.8.
    """
    wide = nats.to(torch.promote_types(nats.dtype, torch.float32))
    return wide.mean((0, 2, 3)).clamp_min(free_bits).sum()


def bound(
    network: Any,
    criterion: Criterion,
    settings: Variational,
    x: Tensor,
    hr: Tensor,
    lr: Tensor,
    step: int,
    generator: torch.Generator,
) -> tuple[dict[str, Tensor], Tensor]:
    """Compute the terms of the bound, and of the backbone, which should do as well as it can without z.

    Returns:
        The terms by name, and the network's result (N, C, H, W).
    """
    sr, nats, backbone = network.elbo_terms(x, hr, generator)
    terms = criterion(sr, hr, lr)
    terms |= {f"backbone {name}": term for name, term in criterion(backbone, hr, lr).items()}
    warmed = min(1.0, (step + 1) / settings.warm_up) if settings.warm_up else 1.0
    terms["kl"] = settings.beta * warmed * kl(nats, settings.free_bits) * (nats[0, 0].numel() / hr[0].numel())
    return terms, sr
