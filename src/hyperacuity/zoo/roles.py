"""Which family `auto` takes for which kind of image."""

from __future__ import annotations

from hyperacuity.zoo.names import DEFAULT
from hyperacuity.zoo.shipped import models

# The name by which a model is chosen for each image.
AUTO = "auto"
# The families, by the verdict of `inspection.decide`. One that is not in the zoo is replaced by the default model.
# Images with faint faults get it, too: of photos stored as JPEG of quality 90 the default model makes PSNR 28.8 dB and
# LPIPS 0.136 at x2, photo-natural as trained so far 27.8 dB and 0.205 (see docs/training-queue.md).
ROLES = {"clean": DEFAULT, "between": DEFAULT, "dirty": "photo"}


def find_role(verdict: str) -> str:
    """Returns the family for images of a verdict, which is a key of `ROLES`."""
    return ROLES[verdict] if ROLES[verdict] in _families() else DEFAULT


def has_roles() -> bool:
    """Returns whether the zoo has more than one of the families, so that there is something to choose."""
    return len(_families() & set(ROLES.values())) > 1


def _families() -> set[str]:
    return {model.card.family for model in models().values()}
