"""Stored values <-> planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour
from hyperacuity.image import Header
from hyperacuity.pipeline.first_pass import Facts
from hyperacuity.pipeline.planes import Planes, PlaneSlices

# How far below black floats may lie, as a share of the range, before the least value becomes 0. Bicubic and Lanczos
# undershoot by an eighth at most, and networks are still nearly linear there.
UNDERSHOOT = 0.25


@dataclass(frozen=True)
class Codes:
    """Converts between stored values, from `low` to `high`, and planes.

    `zero` becomes 0, and `zero` + `span` becomes 1. 0 is black and 1 is white, or code 0 and code 255 in studio range.
    Floats may lie beyond their nominal levels and are not clipped. Values above white go through networks unchanged,
    since networks are nearly linear there (FSRCNN: 0.4 % off at 1000 times white). Scaling all values into [0, 1]
    instead would multiply the networks' error in the rest of the image. Networks were not trained on values far below
    black, so the least value then becomes 0. Undershoot of an earlier resampling is exempt: shifting the whole image
    for it cost 2.5 dB on Set14's ppt3.

    Attributes:
        dtype: Of the stored values.
        low: The stored value of black.
        high: The stored value of white.
        zero: (C, 1, 1), the value that becomes 0 in each plane.
        span: The distance from `zero` to the value that becomes 1.
        names: Which planes there are.
        constant_alpha: The stored alpha if all pixels share one value, so that alpha needs no plane; else None.
    """

    dtype: np.dtype[Any]
    low: np.float32
    high: np.float32
    zero: Planes
    span: np.float32
    names: PlaneSlices
    constant_alpha: float | None

    @classmethod
    def for_image(cls, header: Header, found: Facts, *, studio: bool) -> Codes:
        """The codes of one image; `studio` makes planes in studio range, as luma is."""
        names = PlaneSlices.build(colours=header.colours, alpha=header.alpha and found.constant_alpha is None)
        low, high = header.levels
        span, zero = high - low, np.full((names.count, 1, 1), low, np.float64)
        if found.least_colour is not None and found.least_colour < low - UNDERSHOOT * span:
            zero[names.colour] = found.least_colour
        if studio:
            span /= colour.STUDIO_SPAN
            zero -= colour.STUDIO_BLACK * span
        return cls(
            header.dtype,
            np.float32(low),
            np.float32(high),
            zero.astype(np.float32),
            np.float32(span),
            names,
            found.constant_alpha,
        )

    def to_planes(self, rows: NDArray[Any]) -> Planes:
        """(h, W, channels) as stored -> (C, h, W)."""
        planes = np.array(rows[..., : self.names.count].transpose(2, 0, 1), np.float32, order="C")
        planes -= self.zero
        planes /= self.span
        return planes

    def to_stored(self, planes: Planes) -> NDArray[Any]:
        """(C, h, W) -> (h, W, channels) as stored, a constant alpha included. Overwrites `planes`."""
        integer = self.dtype.kind != "f"
        planes *= self.span
        planes += self.zero + np.float32(0.5) if integer else self.zero
        clipped = planes if integer else planes[self.names.alpha]
        np.maximum(clipped, self.low, out=clipped)
        np.minimum(clipped, self.high, out=clipped)
        if self.dtype.kind == "i":  # conversion truncates, which rounds values >= 0 down
            np.floor(planes, out=planes)
        rows = np.empty((*planes.shape[1:], len(planes) + (self.constant_alpha is not None)), self.dtype)
        for n, plane in enumerate(planes):  # three times as fast as one pass over all channels
            rows[..., n] = plane
        if self.constant_alpha is not None:
            rows[..., -1] = self.constant_alpha
        return rows
