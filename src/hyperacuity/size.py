"""What size the result shall have, in any of the ways a person asks for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hyperacuity.errors import UsageError

DEFAULT_SCALE = 2.0
# More pixels on a side than this fit no file format.
LONGEST = 2**31 - 1


@dataclass(frozen=True)
class Size:
    """One wish: a scale, a width and/or a height in pixels, or an area in megapixels; x2 without any.

    Width alone or height alone keep the proportions; both together set each side. Raises `UsageError` for more
    than one kind of wish, or one that is not positive.
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    megapixels: float | None = None

    def __post_init__(self) -> None:
        wishes = {"scale": self.scale, "width": self.width, "height": self.height, "megapixels": self.megapixels}
        given = {name: value for name, value in wishes.items() if value is not None}
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise UsageError(f"{name} must be a positive number, not {value:g}")
            if name in ("width", "height") and value != int(value):
                raise UsageError(f"{name} must be a whole number of pixels, not {value:g}")
        if len(given) > 1 and set(given) != {"width", "height"}:
            raise UsageError(f"give one of scale, width and height, or megapixels; not {' and '.join(given)} together")

    def resolve(self, height: int, width: int) -> tuple[int, int]:
        """The result's (height, width) for an input of `height` x `width`; sides are rounded half up, and at least 1.

        Raises `UsageError` for a side that no file could hold.
        """
        if self.width is not None:
            factor = self.width / width
        elif self.height is not None:
            factor = self.height / height
        elif self.megapixels is not None:
            factor = math.sqrt(self.megapixels * 1e6 / (height * width))
        else:
            factor = DEFAULT_SCALE if self.scale is None else self.scale
        sides = self.height or height * factor, self.width or width * factor
        if max(sides) > LONGEST:
            raise UsageError(f"a side of {max(sides):g} pixels is more than any file can hold: ask for less")
        return max(1, math.floor(sides[0] + 0.5)), max(1, math.floor(sides[1] + 0.5))
