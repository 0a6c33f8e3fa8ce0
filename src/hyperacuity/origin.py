"""States in the file of a result, in XMP where its format holds that, which software and models made it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hyperacuity import zoo
from hyperacuity.image import Origin, Strips
from hyperacuity.zoo import Card


def state_origin(strips: Strips, names: tuple[str, ...], cards: Iterable[Card], stated: bool | None) -> Strips:
    """Returns a result whose file will state its origin.

    Args:
        strips: The result.
        names: The models that made it.
        cards: Their cards, and perhaps others.
        stated: Whether to; None for models that invent detail or restore.
    """
    used = [card for card in cards if card.name in names]
    if not (any(map(zoo.restores, used)) if stated is None else stated):
        return strips
    from importlib.metadata import version  # loads the package email

    origin = Origin(f"Hyperacuity {version('hyperacuity')}", names, any(map(zoo.is_generative, used)))
    header = strips.header
    return Strips(replace(header, metadata=replace(header.metadata, origin=origin)), strips.rows)
