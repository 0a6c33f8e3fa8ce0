"""Initial weights and teachers: models of the zoo, imported models, and earlier runs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import nn

from hyperacuity import zoo
from hyperacuity.errors import HyperacuityWarning, UsageError, WeightsError
from hyperacuity.networks import build
from hyperacuity.train import checkpoint
from hyperacuity.train.state import Weights


class StartWarning(HyperacuityWarning):
    """Some weights of a network are initialised afresh, since those of the given model do not fit."""


def open_network(name: str) -> nn.Module:
    """Open the network of a model, by name or file, with its weights, for inference.

    Raises:
        UnknownModel: For an unknown name.
        UsageError: For a resampler, or a file that is not a model.
        WeightsError: For weights that cannot be read or do not fit.
    """
    card, weights = read_model(name)
    network = build(card.architecture, card.config)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"the weights of {name} do not fit its network: {error}") from error
    return network.eval().requires_grad_(False)


def initialise(network: nn.Module, name: str, reinitialise: Sequence[str] = ()) -> None:
    """Give a network all weights of a model that fit by name and shape.

    Other parameters keep their initial values, such as a last layer for another scale; a `StartWarning` lists them.

    Args:
        network: With initial weights.
        name: A model by name or file, or a checkpoint.
        reinitialise: Prefixes of the names of parameters that keep their initial values although others would fit.

    Raises:
        UsageError: If no weight fits, and for a model with folded branches that this network cannot unfold.
    """
    if Path(name).suffix.lower() == ".pt":
        state = checkpoint.load(Path(name))
        weights: Weights = state["weights"] if "weights" in state else state["average"]
    else:
        card, weights = read_model(name)
        mine: Any = getattr(network, "config", None)
        rescaled = getattr(network, "rescaled", None)
        if rescaled is not None and card.config.get("folded"):
            weights = rescaled(weights)
        if card.config.get("folded") and not getattr(mine, "folded", True):
            unfolded = getattr(network, "unfolded", None)
            if unfolded is None:
                raise UsageError(
                    f"the branches of {name} are folded into one: start from best.pt of its run, or set "
                    "model.config.folded = true"
                )
            weights = unfolded(weights)
    own = network.state_dict()
    known = {key: value for key, value in weights.items() if not key.startswith(tuple(reinitialise))}
    fitting = {key: value for key, value in known.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise UsageError(f"no weight of {name} fits this network: start from another model, or leave out model.start")
    network.load_state_dict(own | fitting)
    missing = [key for key in own if key not in fitting and not key.startswith(tuple(reinitialise))]
    if missing:
        warnings.warn(
            f"initialised afresh, since {name} has no weights that fit: {', '.join(missing)}",
            StartWarning,
            stacklevel=2,
        )


def read_model(name: str) -> tuple[zoo.Card, Weights]:
    """Read the card and the weights of a model by name or file; raises as `open_network` does."""
    found = (
        zoo.open_model(Path(name))
        if Path(name).suffix.lower() in (".safetensors", ".onnx")
        else zoo.find_models(name)[0]
    )
    if found.safetensors is None:
        raise UsageError(f"{name} is a resampler: it has no weights")
    try:
        return found.card, safetensors.torch.load_file(found.safetensors)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{found.safetensors} cannot be read as a safetensors file: {error}") from error
