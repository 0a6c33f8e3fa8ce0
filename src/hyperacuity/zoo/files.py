"""A model in files: NAME.safetensors with the card, NAME.onnx, where 8 bits pay NAME-int8.onnx, and for networks that
draw samples NAME-sampler.onnx.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hyperacuity.errors import Run, UsageError, WeightsError
from hyperacuity.zoo.card import Card

MODEL_SUFFIXES = (".safetensors", ".onnx")
# Of other projects' checkpoints, which must be imported first.
CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin")


@dataclass(frozen=True)
class Model:
    """A card and the files of the model; classical models have none.

    Attributes:
        card: Of the model.
        safetensors, onnx: Its files.
        int8: The network in 8 bits.
        sampler: The network that draws one of several possible images from the input and noise.
        blended_from: The ONNX file of a model whose weights were interpolated with those of its partner.
    """

    card: Card
    safetensors: Path | None = None
    onnx: Path | None = None
    int8: Path | None = None
    sampler: Path | None = None
    blended_from: Path | None = None


def open_model(path: Path) -> Model:
    """Read the card of a model from its file; the weights are not loaded.

    Args:
        path: NAME.safetensors or NAME.onnx; the other one is found in the same folder.

    Raises:
        UsageError: The file does not exist.
        WeightsError: It is not a model of Hyperacuity.
    """
    if path.suffix.lower() not in MODEL_SUFFIXES:
        if path.suffix.lower() in CHECKPOINT_SUFFIXES:
            raise UsageError(f"{path} is a checkpoint of another project", Run("import", path))
        raise UsageError(f"{path} is not a model of Hyperacuity; give NAME.safetensors or NAME.onnx")
    # An ending may be in capitals, and files of another case need not exist.
    weights = path if path.suffix.lower() == ".safetensors" else path.with_suffix(".safetensors")
    if not weights.is_file():
        if not path.is_file():
            raise UsageError(f"there is no model file {path}")
        raise UsageError(
            f"there is no model file {weights}; it holds the card of {path.name} and must lie in the same folder"
        )

    import safetensors

    try:
        with safetensors.safe_open(weights, framework="numpy") as file:
            card = Card.from_metadata(file.metadata(), weights)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{weights} is not a readable safetensors file: {error}") from error
    except WeightsError as error:
        raise error.within(str(weights)) from error
    onnx = path if path.suffix.lower() == ".onnx" else path.with_suffix(".onnx")
    files = (found if found.is_file() else None for found in (onnx, int8_path(onnx), sampler_path(onnx)))
    return Model(card, weights, *files)


def int8_path(onnx: Path) -> Path:
    """Returns the path of the 8-bit form of the network NAME.onnx."""
    return onnx.with_name(f"{onnx.stem}-int8.onnx")


def sampler_path(onnx: Path) -> Path:
    """Returns the path of the network that draws samples, for the network NAME.onnx."""
    return onnx.with_name(f"{onnx.stem}-sampler.onnx")
