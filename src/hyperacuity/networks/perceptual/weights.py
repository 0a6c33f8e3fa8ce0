"""Files of weights for these networks, read without running what is in them."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hyperacuity.errors import UsageError, WeightsError

_UNREADABLE = (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, safetensors.SafetensorError)


def read(path: Path, what: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file by name. what: for messages, what file it should be.

    Raises `UsageError` where there is no file, `WeightsError` for one of another kind.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give the path of {what}")
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(9)[8:] == b"{"
        if is_safetensors:
            found = safetensors.torch.load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise WeightsError(f"{path} cannot be read ({error}): give the path of {what}") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path} holds no weights by name: give the path of {what}")
    return found
