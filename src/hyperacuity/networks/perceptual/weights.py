"""Files of weights for these networks, read without running what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from hyperacuity.errors import UsageError, WeightsError


def fill(network: nn.Module, path: Path, what: str, names: Mapping[str, str]) -> None:
    """Copy tensors from a file into a network.

    Args:
        network: Its parameters and buffers are overwritten.
        path: A .safetensors or .pth file.
        what: What the file should be, for messages.
        names: The name of each tensor in the file, by its name in the network.

    Raises:
        UsageError: The file does not exist.
        WeightsError: It is not the file that `what` describes.
    """
    theirs, own = _read(path, what), network.state_dict()
    for name, their in names.items():
        shape = own[name].shape
        if their not in theirs or theirs[their].shape != shape:
            raise WeightsError(f"{path} has no {their} of shape {tuple(shape)}: give the path of {what}")
        own[name].copy_(theirs[their])


def _read(path: Path, what: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give the path of {what}")
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(9)[8:] == b"{"
            file.seek(0)
            if is_safetensors:
                found = safetensors.torch.load(file.read())
            else:
                found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything, and PyTorch advises to trust it
        raise WeightsError(f"{path} cannot be read as weights: give the path of {what}") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path} holds no weights by name: give the path of {what}")
    return found
