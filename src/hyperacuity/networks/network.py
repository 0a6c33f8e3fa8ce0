"""What every network is, and how one is built from its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, cast

from torch import Tensor, nn

from hyperacuity.errors import UsageError, WeightsError, nearest
from hyperacuity.networks.table import NETWORKS


class Network(Protocol):
    """What every network of the table is, besides an `nn.Module`.

    Some have more. `folded()`, for networks that train with more branches than they need: the same function as a new
    network whose config has `folded=True`, with one convolution for each set of branches, or the network itself if it
    is folded already. Models are written in that form. `unfolded(weights)`: the reverse, to train such a model further
    with its branches. `elbo_terms(lr, hr)` and `sampler()`, for networks that learn a distribution: see `vae`.
    A module inside with `whole = True` computes statistics over the whole image: no halo makes its tiles exact.

    Attributes:
        channels: 1 (luma of BT.601 in studio range, on [0, 1]) or 3 (RGB).
        scale: Output pixels per input pixel along a side; 1 for networks that restore only, and for those whose input
            bicubic has enlarged, as their declaration says.
        multiple: Height and width of the input must be divisible by it.
    """

    channels: int
    scale: int
    multiple: int

    def __call__(self, x: Tensor) -> Tensor: ...


def build(architecture: str, config: Mapping[str, Any]) -> nn.Module:
    """Build a network of the table with fresh weights.

    Args:
        architecture: Its name in `NETWORKS`.
        config: Fields of its `Config`; the defaults where a field is missing.

    Raises:
        UsageError: There is no such architecture.
        WeightsError: The config does not fit the architecture.

    Example:
        >>> build("fsrcnn", {"scale": 3}).scale
        3
    """
    network = _class_of(architecture)
    try:
        return network(network.Config(**config))  # type: ignore[no-any-return]
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:  # 0 channels fail variously
        raise WeightsError(f"{architecture} cannot be built from {dict(config)}: {error}") from error


def complete_config(architecture: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `config` with the defaults of its `Config` filled in, as cards keep it: defaults may change later.

    Raises:
        UsageError: There is no such architecture.
        WeightsError: The config does not fit the architecture.
    """
    try:
        return asdict(_class_of(architecture).Config(**config))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built from {dict(config)}: {error}") from error


def as_network(network: nn.Module) -> Network:
    """Returns the same object, typed by the attributes that every network has."""
    return cast("Network", network)


def _class_of(architecture: str) -> Any:
    if architecture not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise UsageError(f"no architecture {architecture!r}; there are {known}{nearest(architecture, NETWORKS)}")
    return NETWORKS[architecture].network
