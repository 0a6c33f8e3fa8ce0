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
        bands: Whether the planes are bands of a measured image, each of which is an image of its own for a network.

    Example:
        >>> names = PlaneSlices.build(colours=3, alpha=True)
        >>> names.colour, names.alpha, names.count
        (slice(0, 3, None), slice(3, 4, None), 4)
    """

    colour: slice
    alpha: slice
    bands: bool = False

    @classmethod
    def build(cls, *, colours: int, alpha: bool, bands: bool = False) -> PlaneSlices:
        """Lay out the planes in their stored order."""
        return cls(slice(0, colours), slice(colours, colours + alpha), bands)

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
        """Whether each plane is an image of its own: there is one plane of grey instead of R, G, B, or bands."""
        return self.bands or bool(self.colour.stop == 1)

    @property
    def images(self) -> int:
        """How many images a network reads at a time."""
        return self.count if self.grey else 1 + self.has_alpha
