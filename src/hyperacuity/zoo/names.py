"""Names of models: one model, a family of scales, or a preset."""

from __future__ import annotations

from hyperacuity.errors import UnknownModel, nearest
from hyperacuity.zoo.files import Model
from hyperacuity.zoo.shipped import models

# Families by what they are good at, for users who do not know networks.
PRESETS = {"fast": "acute-10k", "balanced": "acute-50k", "best": "acute-100k"}
DEFAULT = PRESETS["best"]


def find_models(name: str) -> list[Model]:
    """Find the models of a name.

    Args:
        name: Of a model, of a family ("fsrcnn" for all of its scales), or a preset. Case does not matter, and "_" is
            the same as "-".

    Returns:
        The one model, or all of the family, the smallest scale first.

    Raises:
        UnknownModel: The model does not exist; the message names the nearest.
    """
    known = models()
    plain = name.lower().replace("_", "-")
    plain = PRESETS.get(plain, plain)
    if plain in known:
        return [known[plain]]
    family = [model for model in known.values() if model.card.family == plain]
    if not family:
        families = [model.card.family for model in known.values()]
        there = ", ".join([*PRESETS, *known])
        raise UnknownModel(f"no model {name!r}; there are {there}{nearest(plain, [*PRESETS, *known, *families])}")
    return sorted(family, key=lambda model: model.card.network_scale)
