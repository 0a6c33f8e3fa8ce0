"""The networks of the literature, one file each. Needs PyTorch (`pip install 'hyperacuity[torch]'`).

A network is an `nn.Module` built from its frozen `Config`; it knows tensors (N, C, H, W) in [0, 1] and nothing of
images, tiles or files. Its file ends with a `Declaration`: its config by keys and shapes of a state dict, the key
layouts of other projects, published parameter counts. To add one: write its file and add its line to `table.py`.

`network` holds what every network is and `build`; `declaration` and `state_dicts` serve the declarations.
"""

from __future__ import annotations

from hyperacuity.networks.declaration import Declaration, KeyLayout, PublishedCount, Undetermined
from hyperacuity.networks.network import Network, as_network, build, complete_config
from hyperacuity.networks.table import NETWORKS

__all__ = [
    "NETWORKS",
    "Declaration",
    "KeyLayout",
    "Network",
    "PublishedCount",
    "Undetermined",
    "as_network",
    "build",
    "complete_config",
]
