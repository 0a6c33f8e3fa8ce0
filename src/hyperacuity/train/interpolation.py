"""A model between two models: ESRGAN's network interpolation, from faithful to sharp."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperacuity import export, zoo
from hyperacuity.errors import UsageError
from hyperacuity.networks import build, complete_config
from hyperacuity.networks.interpolate import interpolate
from hyperacuity.train import start
from hyperacuity.zoo import Card


def interpolated(first: str, second: str, alpha: float, folder: Path, *, name: str, force: bool = False) -> Card:
    """Write NAME.safetensors and NAME.onnx with weights between those of two models of one network.

    Args:
        first: A model by name or file, whose weights count 1 - alpha.
        second: The other, whose weights count alpha.
        alpha: From 0 to 1.
        folder: Where to write.
        name: The new model's name.
        force: Replace a model of that name.

    Returns:
        The new model's card.

    Raises:
        UsageError: For models of different networks, for an alpha outside 0 to 1, for a model that exists, and if the
            files cannot be written.

    Source: ESRGAN, arXiv 1809.00219, section 3.4.
    """
    (card, weights), (other, theirs) = start.read_model(first), start.read_model(second)
    configs = [complete_config(one.architecture, one.config) for one in (card, other)]
    if card.architecture != other.architecture or configs[0] != configs[1]:
        raise UsageError(
            f"{first} is {card.architecture} {dict(card.config)}, {second} is {other.architecture} "
            f"{dict(other.config)}: only models of one network can be interpolated"
        )
    export.check_free(folder, name, force=force)
    network = build(card.architecture, card.config)
    network.load_state_dict(interpolate(weights, theirs, alpha))
    licence = card.licence if card.licence == other.licence else f"{card.licence}; {other.licence}"
    trained_on = f"{1 - alpha:g} of {card.name} ({card.trained_on}), {alpha:g} of {other.name} ({other.trained_on})"
    made: Any = {"steps": 0, "seed": 0, "recipe": "", "data_fingerprint": "", "quality": {}, "ssim": {}}
    card = replace(card, name=name, licence=licence, trained_on=trained_on, **made, **export.measure_network(network))
    export.write_model(network, card, folder)
    return zoo.open_model(folder / f"{name}.safetensors").card
