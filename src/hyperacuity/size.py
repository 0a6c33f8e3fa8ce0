"""The requested size of a result, in any of the forms that users give."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from hyperacuity.errors import HyperacuityWarning, UsageError, Use

DEFAULT_SCALE = 2.0
# No file format holds more pixels on a side.
LONGEST = 2**31 - 1


class StretchWarning(HyperacuityWarning):
    """Width and height together change the proportions of an image."""


@dataclass(frozen=True)
class Size:
    """The requested size: a scale, a width and/or a height, or an area; x2 if nothing is given.

    Width or height by itself keeps the proportions; both together set each side, or with `fit` the most that it may be.

    Args:
        scale: Output pixels per input pixel along a side, an integer or a fraction.
        width: In pixels.
        height: In pixels.
        megapixels: The area, in millions of pixels.
        fit: Whether the result keeps its proportions within width and height.

    Raises:
        UsageError: If several of them are given (except width with height), one is not positive, or `fit` is given
            without width and height.

    Example:
        >>> Size(width=1920).resolve(height=600, width=800)
        (1440, 1920)
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    megapixels: float | None = None
    fit: bool = False

    def __post_init__(self) -> None:
        requested = {"scale": self.scale, "width": self.width, "height": self.height, "megapixels": self.megapixels}
        given = {name: value for name, value in requested.items() if value is not None}
        for name, value in given.items():
            if not isinstance(value, Real):
                raise UsageError(f"{name} must be a number, not {value!r}")
            if not 0 < value < math.inf:
                raise UsageError(f"{name} must be a positive number, not {value:g}")
            if name in ("width", "height") and value != int(value):
                raise UsageError(f"{name} must be a whole number of pixels, not {value:g}")
        if len(given) > 1 and set(given) != {"width", "height"}:
            raise UsageError(f"give one of scale, width and height, or megapixels; not {' and '.join(given)} together")

        if self.fit and set(given) != {"width", "height"}:
            raise UsageError("fit needs a width and a height to fit into")

    def stretches(self, height: int, width: int) -> bool:
        """Returns whether an input of this size changes its proportions, by more than rounding."""
        if self.width is None or self.height is None or self.fit:
            return False
        kept = min(self.width / width, self.height / height)
        return self.width - width * kept >= 1 or self.height - height * kept >= 1

    def resolve(self, height: int, width: int) -> tuple[int, int]:
        """Return the result's (height, width) for an input; sides are rounded half up, and at least 1.

        Args:
            height: Of the input, in pixels.
            width: Likewise.

        Raises:
            UsageError: If a side is longer than any file can hold.
        """
        if self.fit and self.width is not None and self.height is not None:
            factor = min(self.width / width, self.height / height)
        elif self.width is not None:
            factor = self.width / width
        elif self.height is not None:
            factor = self.height / height
        elif self.megapixels is not None:
            factor = math.sqrt(self.megapixels * 1e6 / (height * width))
        else:
            factor = DEFAULT_SCALE if self.scale is None else self.scale
        given = (None, None) if self.fit else (self.height, self.width)
        sides = given[0] or height * factor, given[1] or width * factor
        if max(sides) > LONGEST:
            raise UsageError(f"a side of {max(sides):g} pixels is more than any file can hold; request a smaller one")
        return max(1, math.floor(sides[0] + 0.5)), max(1, math.floor(sides[1] + 0.5))


def resolve_size(size: Size | float, height: int, width: int) -> tuple[int, int]:
    """Returns (height, width) of the result for an image of that size; a number is a scale."""
    return (size if isinstance(size, Size) else Size(size)).resolve(height, width)


def warn_of_stretching(size: Size | float, before: tuple[int, int], target: Path) -> None:
    """Warn if a size changes the proportions of an image of (height, width) `before`."""
    if isinstance(size, Size) and size.stretches(*before):
        message = f"{target.name}: {size.width} x {size.height} pixels stretch an image of {before[1]} x {before[0]}"
        warnings.warn(StretchWarning(message, Use(fit=True)), stacklevel=3)


def size_suffix(size: Size) -> str:
    """Returns the default suffix of a result's name, such as "-x2", "-x3.5", "-3840w", "-2160h", "-24mp".

    Example:
        >>> size_suffix(Size(scale=3.5))
        '-x3.5'
    """
    if size.width is not None and size.height is not None:
        return f"-{size.width}x{size.height}"
    if size.width is not None:
        return f"-{size.width}w"
    if size.height is not None:
        return f"-{size.height}h"
    if size.megapixels is not None:
        return f"-{size.megapixels:g}mp"
    return f"-x{size.scale or 2:g}"
