"""Read any checkpoint as {name: tensor}, without running code from it.

The first bytes of a file decide what it is; its name does not matter. Pickles are read by
`torch.load(weights_only=True)` only: what that refuses is refused here, with the reason.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor

from hyperacuity.engines.onnx_to_ncnn import MAGIC
from hyperacuity.errors import UsageError, WeightsError
from hyperacuity.importer.selection import AVERAGE, marks_average

Weights = dict[str, Tensor]

# The keys under which checkpoints keep averaged weights (EMA), which come first; and all others. The last three of
# these are our trainer's.
AVERAGES = ("params_ema", "params-ema", "ema_state_dict", "state_dict_ema", "model_ema", "net_g_ema", "g_ema", "ema")
_WRAPPERS_OF_OTHERS = ("params", "model_state_dict", "state_dict", "model", "net", "netG", "net_g", "generator", "G")
WRAPPERS = (*AVERAGES, *_WRAPPERS_OF_OTHERS, "weights", "average", "network")
# Words in the names of other dicts with a network, and of those without.
_GENERATOR_WORDS = {
    "g",
    "gen",
    "generator",
    "model",
    "module",
    "net",
    "netg",
    "network",
    "params",
    "student",
    "weights",
}
_OTHER_WORDS = {"d", "disc", "discriminator", "netd", "opt", "optim", "optimizer", "optimizers", "scheduler", "loss",
                "criterion", "teacher", "vgg", "decay", "optimd", "optimg"}  # fmt: skip
# Classes of settings that checkpoints keep beside the weights. They are replaced by an empty dict: none of their code
# is run, and nothing of them is needed.
_SETTINGS = (
    "argparse.Namespace", "easydict.EasyDict", "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict", "pytorch_lightning.utilities.parsing.AttributeDict",
    *(f"{module}.{system}Path" for module in ("pathlib", "pathlib._local")
      for system in ("", "Posix", "Windows", "PurePosix", "PureWindows")),
)  # fmt: skip

# safetensors' own limit for its header.
_LONGEST_HEADER = 100_000_000
_PICKLE, _ZIP = b"\x80", b"PK"
_FOREIGN_MAGIC = {
    b"version https://git-lfs": "is a Git LFS pointer, not weights: run `git lfs pull`, or download the file itself",
    b"\x89HDF": "is an HDF5 file, as Keras writes them: convert it to safetensors",
    b"\x1f\x8b": "is compressed by gzip: unpack it first",
    str(MAGIC).encode(): "is a network of ncnn: give the weights it was made from",
    b"Rar!": "is a RAR archive: unpack it first",
    b"7z\xbc\xaf": "is a 7z archive: unpack it first",
}


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        weights: All tensors, in float32 if they are real numbers.
        metadata: Of a safetensors file.
        note: Which weights were taken, in words, if the file holds several.
    """

    weights: Weights
    metadata: Mapping[str, str]
    note: str = ""


def read(path: Path) -> Checkpoint:
    """Read the weights in a file.

    Args:
        path: safetensors, or PyTorch's formats (.pth, .pt, .ckpt); its content decides, not its name.

    Returns:
        The weights and the metadata, which is empty unless the file is safetensors.

    Raises:
        UsageError: The file does not exist or cannot be read.
        WeightsError: It holds no weights; the message says why.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}" if not path.exists() else f"{path} is a folder: give one file")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    content: object
    metadata: Mapping[str, str] = {}
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _LONGEST_HEADER:
        content, metadata = _safetensors(path)
    elif head.startswith((_PICKLE, _ZIP)):
        if head.startswith(_ZIP):
            _check_archive(path, size)
        content = _unpickled(path)
    else:
        raise WeightsError(f"{path} {_what_else(head)}")
    inner, note = unwrap(content, path)
    weights = {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    if not weights:
        weights = {str(name): torch.from_numpy(value) for name, value in inner.items() if _is_numeric(value)}
    return Checkpoint(_checked(weights, path, size), metadata, note)


def _is_numeric(value: object) -> bool:
    """Whether a value is an array that can be a tensor."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.dtype.itemsize <= 8


def _what_else(head: bytes) -> str:
    for magic, what in _FOREIGN_MAGIC.items():
        if head.startswith(magic):
            return what
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        return "is empty: download it again"
    if not text.strip(b"\0"):
        return "holds nothing but zeros or blanks: download it again"
    if text.startswith(b"<"):
        return "is a web page, not weights: the address wants a login or leads to a page about the file; download again"
    if all(byte in b"\t\n\r\f" or byte >= 32 for byte in text):
        return f"is text, not weights; it begins with {text[:40].decode(errors='replace')!r}"
    return "is neither safetensors nor a checkpoint of PyTorch: its first bytes belong to neither, or it is damaged"


def _safetensors(path: Path) -> tuple[Weights, Mapping[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            # Copies: what the library gives lies in the mapped file.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except Exception as error:  # a damaged header fails in many ways
        raise WeightsError(f"{path} is a damaged safetensors file, perhaps cut short ({_short(error)})") from error


def _check_archive(path: Path, size: int) -> None:
    """Refuse archives that are not checkpoints, and those that claim to hold more than their size."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:  # a damaged directory fails in many ways
        raise WeightsError(f"{path} is a damaged checkpoint, perhaps cut short: download it again") from error
    parts = {entry.filename.partition("/")[2] for entry in entries}
    if "constants.pkl" in parts or any(part.startswith("code/") for part in parts):
        raise WeightsError(
            f"{path} is a TorchScript archive: it holds a program, which is not run here. Load it in its own project "
            "and save its weights: torch.save(model.state_dict(), ...)"
        )
    if "data.pkl" not in parts:
        raise WeightsError(f"{path} is a zip archive, but not a checkpoint: unpack it, and give the file in it")
    if sum(entry.file_size for entry in entries) > size:
        raise WeightsError(f"{path} is a damaged checkpoint: it claims to hold more than it is long")


def _unpickled(path: Path) -> object:
    try:
        # Given the path, PyTorch would rely on its suffix.
        with path.open("rb") as file, torch.serialization.safe_globals(_harmless()):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise WeightsError(
                f"{path} is not a plain state dict: reading it would run the code of {code[1]}, which is never done "
                "here. Load it in the project it comes from and save torch.save(model.state_dict(), ...), or take a "
                "safetensors file"
            ) from error
        raise WeightsError(f"{path} is a damaged checkpoint, perhaps cut short: {_short(error)}") from error


class _Settings(dict[Any, Any]):
    """What becomes of objects of `_SETTINGS`: a dict without anything in it."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, _: object) -> None:
        pass


def _harmless() -> list[Any]:
    """What a checkpoint may build besides tensors: numbers and arrays of NumPy, and settings, which stay empty."""
    # NumPy 1 and 2 keep these functions in different modules.
    scalar: Any = np.float64(1).__reduce__()[0]
    rebuild: Any = np.zeros(1).__reduce__()[0]
    cores = "numpy.core.multiarray", "numpy._core.multiarray"
    functions = [(function, f"{core}.{function.__name__}") for function in (scalar, rebuild) for core in cores]
    kinds = [type(np.dtype(kind)) for kind in "efd?bBhHiIlL"]
    return [
        *[(np.dtype, "numpy.dtype"), (np.ndarray, "numpy.ndarray"), *functions, *kinds],
        *((_Settings, name) for name in _SETTINGS),
    ]


def _short(error: Exception) -> str:
    # PyTorch's own messages advise to switch its protection off, in their first lines.
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "weights_only" not in line]
    return (lines[0] if lines else type(error).__name__)[:120]


def unwrap(content: object, path: Path) -> tuple[Mapping[Any, Any], str]:
    """Returns the innermost dict, and which one it is: a training also saves the optimizer and other networks."""
    note = ""
    for _ in range(5):
        if isinstance(content, list | tuple):
            content = next((each for each in content if _holds_weights(each)), content)
        if not isinstance(content, Mapping):
            break
        inner = _inner(content)
        if not inner:
            break
        if marks_average(inner[0][0]) and len(inner) > 1:
            note = AVERAGE
        content = inner[0][1]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not a network's weights")
    if not any(isinstance(value, Tensor | np.ndarray) for value in content.values()):
        raise WeightsError(f"{path} holds no weights; its keys are {list_first(content)}")
    return content, note


def _inner(content: Mapping[Any, Any]) -> list[tuple[str, Mapping[Any, Any]]]:
    """The dicts in another one that may hold the network, the most likely first: averages, well-known names, others."""
    held = {str(key): value for key, value in content.items() if isinstance(value, Mapping) and _holds_weights(value)}
    averages = [key for key in held if marks_average(key) and not _is_other(key)]
    averages.sort(key=lambda key: AVERAGES.index(key) if key in AVERAGES else len(AVERAGES))
    found = [(key, held[key]) for key in averages]
    callbacks = content.get("callbacks")  # of Lightning
    for name, state in callbacks.items() if isinstance(callbacks, Mapping) else ():
        if marks_average(str(name)) and _holds_weights(state):
            found.append((str(name), state))
    found += [(key, held[key]) for key in WRAPPERS if key in held and key not in averages]
    if not found and any(isinstance(value, Tensor | np.ndarray) and np.ndim(value) > 1 for value in content.values()):
        return []  # the weights themselves
    if not found:
        found = [(key, held[key]) for key in held if _GENERATOR_WORDS & {*_words(key)} and not _is_other(key)]
    return found or ([*held.items()] if len(content) == 1 else [])


def _words(key: str) -> list[str]:
    return [word for word in re.split(r"[^a-z]+", key.lower()) if word]


def _is_other(key: str) -> bool:
    """Whether the name of a dict says that it is not the network."""
    return bool(_OTHER_WORDS & {*_words(key)})


def _holds_weights(value: object, depth: int = 3) -> bool:
    """Whether there are tensors in a dict, or in those in it."""
    if isinstance(value, Mapping):
        return depth > 0 and any(_holds_weights(each, depth - 1) for each in value.values())
    return isinstance(value, Tensor | np.ndarray)


def _checked(weights: Weights, path: Path, size: int) -> Weights:
    """In float32, each as long as the file can have made it. Tensors may share memory, as tied weights do."""
    numbers = 0
    for name, value in weights.items():
        if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.device.type != "cpu":
            raise WeightsError(f"{path}: {name!r} is not a plain tensor of real numbers: save the weights as float32")
        numbers += value.numel() * value.element_size()
    if numbers > 4 * size:
        raise WeightsError(f"{path} is a damaged checkpoint: its tensors claim more numbers than it can hold")
    plain = {
        name: value.detach().to(torch.float32) if value.is_floating_point() else value.detach()
        for name, value in weights.items()
    }
    for name, value in plain.items():
        if not value.isfinite().all():
            raise WeightsError(f"{path}: {name!r} holds numbers that are infinite or not numbers: the file is damaged")
    return plain


def list_first(names: Iterable[object]) -> str:
    """Returns the first of many names, for a message."""
    every = [str(name)[:60] for name in names]
    return ", ".join(every[:8]) + (f" and {len(every) - 8} more" if len(every) > 8 else "")
