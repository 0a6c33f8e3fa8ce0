"""How LR is made of HR during training: one file for each kind of degradation, and one line in `DEGRADATIONS`.

A kind is a `Degradation`: its fields are what a recipe's table [degradation] may set. To add one, write its file and
add its line; recipes, their schema and the trainer then know it. What kinds are made of is in `operations`.
"""

from __future__ import annotations

import functools
import operator
from typing import Annotated, Any

from pydantic import Field

from hyperacuity.train.degrade.bicubic import Bicubic
from hyperacuity.train.degrade.blur_bicubic import BlurBicubic
from hyperacuity.train.degrade.chain import Chain
from hyperacuity.train.degrade.degradation import Degradation, inner
from hyperacuity.train.degrade.everyday import Everyday

DEGRADATIONS: dict[str, type[Degradation]] = {
    "bicubic": Bicubic,
    "blur-bicubic": BlurBicubic,
    "chain": Chain,
    "everyday": Everyday,
}


def any_degradation() -> Any:
    """Return the type of a recipe's [degradation]: any record of the table, chosen by its `kind`."""
    return Annotated[functools.reduce(operator.or_, DEGRADATIONS.values()), Field(discriminator="kind")]


__all__ = ["DEGRADATIONS", "Bicubic", "BlurBicubic", "Chain", "Degradation", "Everyday", "any_degradation", "inner"]
