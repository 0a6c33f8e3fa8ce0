"""The networks of the literature, one file each. Needs PyTorch (`pip install 'hyperacuity[torch]'`).

A network is an `nn.Module` built from its frozen `Config`; it knows tensors (N, C, H, W) in [0, 1] and nothing of
images, tiles or files. To add one: write its file and name it in `NETWORKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, cast

from torch import Tensor, nn

from hyperacuity.errors import UsageError, WeightsError, nearest
from hyperacuity.networks.acute import Acute
from hyperacuity.networks.compact import Compact
from hyperacuity.networks.edsr import EDSR
from hyperacuity.networks.espcn import ESPCN
from hyperacuity.networks.fsrcnn import FSRCNN
from hyperacuity.networks.imdn import IMDN
from hyperacuity.networks.mdsr import MDSR
from hyperacuity.networks.residual_transposed import ResidualTransposed
from hyperacuity.networks.rrdb import RRDB
from hyperacuity.networks.span import SPAN
from hyperacuity.networks.srcnn import SRCNN
from hyperacuity.networks.srresnet import SRResNet
from hyperacuity.networks.subpixel import SubPixel
from hyperacuity.networks.swinir import SwinIR
from hyperacuity.networks.transposed import Transposed
from hyperacuity.networks.vae import VAE
from hyperacuity.networks.vdsr import VDSR


class Network(Protocol):
    """What every network of the table is, beside an `nn.Module`.

    channels: 1 (luma of BT.601 in studio range, on [0, 1]) or 3 (RGB). scale: output pixels per input pixel along a
    side; 1 for those that are given an image already enlarged by bicubic. multiple: the sides must divide by it.

    Some have more. `folded()`: those that train with more branches than they need; the same function as a new network
    whose config says `folded=True`, with one convolution for each set of branches, or the network itself where it is
    so already. Models are written in that form. `unfolded(weights)`: the way back, to train such a model further with
    its branches. `elbo_terms(lr, hr)`: those that learn a distribution, see `vae`.
    A module inside with `whole = True` takes statistics over the whole picture: no halo makes tiles exact then.
    """

    channels: int
    scale: int
    multiple: int

    def __call__(self, x: Tensor) -> Tensor: ...


NETWORKS: dict[str, type[nn.Module]] = {
    "srcnn": SRCNN,
    "fsrcnn": FSRCNN,
    "espcn": ESPCN,
    "transposed": Transposed,
    "residual_transposed": ResidualTransposed,
    "subpixel": SubPixel,
    "vdsr": VDSR,
    "srresnet": SRResNet,
    "edsr": EDSR,
    "mdsr": MDSR,
    "rrdb": RRDB,
    "compact": Compact,
    "imdn": IMDN,
    "swinir": SwinIR,
    "span": SPAN,
    "acute": Acute,
    "vae": VAE,
}


def build(architecture: str, config: Mapping[str, Any]) -> nn.Module:
    """The network `architecture` of the table, with fresh weights; `config` holds its Config's fields.

    Raises `UsageError` for an unknown architecture and `WeightsError` for a config that is not its own.
    """
    network = _class(architecture)
    try:
        return network(network.Config(**config))  # type: ignore[no-any-return]
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:  # 0 channels fail variously
        raise WeightsError(f"{architecture} cannot be built from {dict(config)}: {error}") from error


def completed(architecture: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with its Config's defaults where it says nothing: what a card keeps, whatever becomes of the defaults.

    Raises as `build` does.
    """
    try:
        return asdict(_class(architecture).Config(**config))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built from {dict(config)}: {error}") from error


def _class(architecture: str) -> Any:
    if architecture not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise UsageError(f"no architecture {architecture!r}; there are {known}{nearest(architecture, NETWORKS)}")
    return NETWORKS[architecture]


def described(network: nn.Module) -> Network:
    """The same network, seen as what it says of itself."""
    return cast("Network", network)
