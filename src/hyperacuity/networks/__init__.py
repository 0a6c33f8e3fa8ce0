"""The networks of the literature, one file each. Needs PyTorch (`pip install 'hyperacuity[torch]'`).

A network is an `nn.Module` built from its frozen `Config`; it knows tensors (N, C, H, W) in [0, 1] and
nothing of images, tiles or files. To add one: write its file and name it in `NETWORKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from hyperacuity.errors import UsageError, WeightsError, nearest
from hyperacuity.networks.fsrcnn import FSRCNN

NETWORKS: dict[str, type[nn.Module]] = {
    "fsrcnn": FSRCNN,
}


def build(architecture: str, config: Mapping[str, Any]) -> nn.Module:
    """The network `architecture` of the table, with fresh weights; `config` holds its Config's fields.

    Raises `UsageError` for an unknown architecture and `WeightsError` for a config that is not its own.
    """
    if architecture not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise UsageError(f"no architecture {architecture!r}; there are {known}.{nearest(architecture, NETWORKS)}")
    network: Any = NETWORKS[architecture]
    try:
        return network(network.Config(**config))  # type: ignore[no-any-return]
    except TypeError as error:
        raise WeightsError(f"{architecture} cannot be built from {dict(config)}: {error}") from error
