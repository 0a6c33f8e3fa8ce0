"""Which models invent detail: their results look sharp, and are not nearer to the truth."""

from __future__ import annotations

from hyperacuity.zoo.card import Card


def is_generative(card: Card) -> bool:
    """Returns whether a model was trained against an adversary, or draws samples."""
    return card.architecture == "vae" or bool(card.natural)
