"""Which planes the rows of an image consist of, by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# (C, h, W) between the steps, (N, C, h, W) for a network.
Planes = NDArray[np.float32]


@dataclass(frozen=True)
class PlaneSlices:
    """Where each named part lies among the planes (C, h, W) of an image; indexing with a slice copies nothing.

    To add a plane, such as an estimate of the error: a slice here, then its place in `codes` and `batches`.

    Attributes:
        colour: One plane of grey, or three of R, G, B.
        alpha: One plane, or an empty slice.

    Example:
        >>> names = PlaneSlices.build(colours=3, alpha=True)
        >>> names.colour, names.alpha, names.count
        (slice(0, 3, None), slice(3, 4, None), 4)
    """

    colour: slice
    alpha: slice

    @classmethod
    def build(cls, *, colours: int, alpha: bool) -> PlaneSlices:
        """Lay out the planes in their stored order."""
        return cls(slice(0, colours), slice(colours, colours + alpha))

    @property
    def count(self) -> int:
        """How many planes there are."""
        return int(self.alpha.stop)

    @property
    def has_alpha(self) -> bool:
        """Whether there is a plane of alpha."""
        return bool(self.alpha.stop > self.alpha.start)

    @property
    def grey(self) -> bool:
        """Whether the image has one plane of grey instead of R, G, B."""
        return bool(self.colour.stop == 1)
