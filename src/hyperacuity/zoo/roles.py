"""Which family `auto` takes for which kind of image."""

from __future__ import annotations

from hyperacuity.zoo.names import DEFAULT
from hyperacuity.zoo.shipped import models

# The name by which a model is chosen for each image.
AUTO = "auto"
# The families, by the verdict of `inspection.decide`. One that is not in the zoo is replaced by the default model.
ROLES = {"clean": DEFAULT, "between": DEFAULT, "dirty": "photo"}
# Faint faults grow with the image: from this scale on they get the model for visible ones. Of images of Kodak24 stored
# as JPEG of quality 90, the default model has LPIPS 0.131 and photo 0.140 at x2, 0.362 and 0.261 at x4; of slightly
# soft ones 0.199 and 0.181, 0.507 and 0.325 (see docs/training-queue.md).
ENLARGES_FAULTS = 3


def find_role(verdict: str, scale: float) -> str:
    """Returns the family for images of a verdict, which is a key of `ROLES`, at a scale."""
    role = ROLES["dirty" if verdict == "between" and scale >= ENLARGES_FAULTS else verdict]
    return role if role in _families() else DEFAULT


def has_roles() -> bool:
    """Returns whether the zoo has more than one of the families, so that there is something to choose."""
    return len(_families() & set(ROLES.values())) > 1


def _families() -> set[str]:
    return {model.card.family for model in models().values()}
