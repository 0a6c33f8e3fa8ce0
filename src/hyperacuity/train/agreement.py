"""Whether all processes of a training, which may run on several nodes, have the same recipe, checkpoint and images."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch.distributed
from lightning_fabric import Fabric

from hyperacuity.counting import counted
from hyperacuity.errors import UsageError


def check_same(fabric: Fabric, found: Mapping[str, str]) -> None:
    """Compare what the processes have found; each of them must call this.

    Args:
        fabric: Connects the processes.
        found: What must be the same, by what it is called in an error.

    Raises:
        UsageError: On all processes, if one differs from the first; the message names its node.
    """
    if fabric.world_size == 1:
        return
    everyone: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(everyone, (platform.node() or "unnamed", dict(found)))
    first, wanted = everyone[0]
    for rank, (node, other) in enumerate(everyone):
        for name, value in wanted.items():
            if other[name] != value:
                raise UsageError(
                    f"{name} differ between the nodes of this training: {node} (process {rank}) has {other[name]}, and "
                    f"{first} (process 0) has {value}; all nodes must see the same files"
                )


def describe_files(paths: Iterable[Path]) -> str:
    """Returns the number of files, their bytes, and a digest of their names and sizes, for `check_same`."""
    digest, count, size = hashlib.sha256(), 0, 0
    for path in dict.fromkeys(paths):
        each = path.stat().st_size
        digest.update(os.fsencode(f"{path.as_posix()}\0{each}\0"))
        count, size = count + 1, size + each
    return f"{counted(count, 'file')} of {size} bytes (digest {digest.hexdigest()[:8]})"
