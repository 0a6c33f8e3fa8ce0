"""Weights to begin from, and models to learn from: anything of the zoo, imported, or trained here before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from hyperacuity import zoo
from hyperacuity.errors import HyperacuityWarning, UsageError, WeightsError
from hyperacuity.networks import build
from hyperacuity.train import checkpoint

Weights = dict[str, Tensor]


class StartWarning(HyperacuityWarning):
    """Some weights of a network begin fresh, since those to begin from do not fit."""


def model(name: str) -> nn.Module:
    """The network of a model by name or file, with its weights, for inference.

    Raises `UnknownModel`, `UsageError` for a resampler or a file that is none, `WeightsError`.
    """
    card, weights = of_model(name)
    network = build(card.architecture, card.config)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"the weights of {name} do not fit its network: {error}") from error
    return network.eval().requires_grad_(False)


def begin_from(network: nn.Module, name: str, fresh: Sequence[str] = ()) -> None:
    """Give a network all weights that fit, by name and shape, of a model by name or file, or of a checkpoint.

    What does not fit begins fresh, as a last layer does that makes x3 of a network for x2; a `StartWarning` says so.
    So does what `fresh` names, the beginnings of parameters' names: one that fits by its shape alone.
    Raises `UsageError` when nothing fits, and for a model whose branches are folded where this network's are not and
    it knows no way back.
    """
    if Path(name).suffix == ".pt":
        state = checkpoint.load(Path(name))
        weights: Weights = state["weights"] if "weights" in state else state["average"]
    else:
        card, weights = of_model(name)
        mine: Any = getattr(network, "config", None)
        if card.config.get("folded") and not getattr(mine, "folded", True):
            unfolded = getattr(network, "unfolded", None)
            if unfolded is None:
                raise UsageError(
                    f"the branches of {name} are folded into one: begin from the best.pt of its training, or set "
                    "model.config.folded = true"
                )
            weights = unfolded(weights)
    own = network.state_dict()
    known = {key: value for key, value in weights.items() if not key.startswith(tuple(fresh))}
    fitting = {key: value for key, value in known.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise UsageError(f"no weight of {name} fits this network: begin from another model, or leave out model.start")
    network.load_state_dict(own | fitting)
    unlike = [key for key in own if key not in fitting and not key.startswith(tuple(fresh))]
    if unlike:
        warnings.warn(f"fresh, since {name} has none that fit: {', '.join(unlike)}", StartWarning, stacklevel=2)


def of_model(name: str) -> tuple[zoo.Card, Weights]:
    """The card and the weights of a model by name or file; raises as `model` does."""
    found = zoo.open_model(Path(name)) if Path(name).suffix in (".safetensors", ".onnx") else zoo.find_models(name)[0]
    if found.safetensors is None:
        raise UsageError(f"{name} is a resampler: it has no weights")
    try:
        return found.card, safetensors.torch.load_file(found.safetensors)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{found.safetensors} is no readable safetensors file: {error}") from error
