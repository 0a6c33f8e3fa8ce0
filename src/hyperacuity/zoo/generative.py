"""Which models invent detail: their results look sharp, and are not nearer to the truth."""

from __future__ import annotations

import re

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.zoo.card import Card

# Published weights, whose cards do not say how they were trained: SRGAN, ESRGAN and Real-ESRGAN, not their forms
# without an adversary.
_ADVERSARIAL = re.compile(r"(real)?e?srgan(?![-_]?psnr)|realesr-")


def is_generative(card: Card) -> bool:
    """Returns whether a model was trained against an adversary, or draws samples."""
    return card.architecture == "vae" or bool(card.natural) or bool(_ADVERSARIAL.match(card.name.lower()))


def restores(card: Card) -> bool:
    """Returns whether a model removes noise, blur or compression: what it removes may have been detail."""
    return is_generative(card) or card.architecture == "restorer"


def refuse_generative(card: Card, images: str, *, allowed: bool) -> None:
    """Refuse a model that invents detail.

    Args:
        card: The model's.
        images: What must not contain invented detail, for the message.
        allowed: Whether the request allows it nevertheless.

    Raises:
        UsageError: If the model invents detail and that is not allowed.
    """
    if is_generative(card) and not allowed:
        raise UsageError(
            f"{card.name} invents detail, which {images} must not contain",
            Use(model=LEAVE_OUT),
            Use(allow_generative=True),
        )
