"""Names of models: one model, a family of scales, or a preset."""

from __future__ import annotations

from collections.abc import Mapping

from hyperacuity.errors import Run, UnknownModel, nearest
from hyperacuity.zoo.catalogue import plain_name, published_as, read_catalogue
from hyperacuity.zoo.fetched import fetched_models
from hyperacuity.zoo.files import Model
from hyperacuity.zoo.shipped import models

# Families by what they are good at, for users who do not know networks.
PRESETS = {"fast": "acute-10k", "balanced": "acute-50k", "best": "acute-100k"}
DEFAULT = PRESETS["best"]


def installed() -> Mapping[str, Model]:
    """Returns all models that can be used by name: those of the package, and those that the user has fetched."""
    return {**fetched_models(), **models()}


def find_models(name: str) -> list[Model]:
    """Find the models of a name.

    Args:
        name: Of a model, of a family ("fsrcnn" for all of its scales), or a preset. Case does not matter, and "_" is
            the same as "-".

    Returns:
        The one model, or all of the family, the smallest scale first.

    Raises:
        UnknownModel: The model does not exist, and the message names the nearest; or it must be fetched first.
    """
    plain = plain_name(name)
    plain = PRESETS.get(plain, plain)
    if found := _found(plain, models()) or _found(plain, fetched_models()):
        return found
    if published := published_as(name):
        licences = " or ".join(dict.fromkeys(entry.licence for entry in published))
        raise UnknownModel(
            f"{name} is not installed, but its weights are published (licence: {licences})",
            *(Run("fetch", entry.name) for entry in published),
        )
    known = installed()
    families = [model.card.family for model in known.values()]
    there = ", ".join([*PRESETS, *known])
    raise UnknownModel(
        f"no model {name!r}; there are {there}{nearest(plain, [*PRESETS, *known, *families, *read_catalogue()])}"
    )


def _found(plain: str, known: Mapping[str, Model]) -> list[Model]:
    """The model of that name, or all of the family."""
    same = [model for key, model in known.items() if plain_name(key) == plain]
    family = same or [model for model in known.values() if plain_name(model.card.family) == plain]
    return sorted(family, key=lambda model: model.card.scale or 0)
