"""Stored values <-> planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity import colour
from hyperacuity.image import BandRange, Header
from hyperacuity.pipeline.first_pass import Facts
from hyperacuity.pipeline.planes import Planes, PlaneSlices
from hyperacuity.values import exact_type

# An image of floats keeps its levels if nearly all its values (see `values.RangeFinder`) lie at most this far outside
# them and use at least this share of them. Bicubic and Lanczos overshoot by an eighth at most.
_OUTSIDE, _USED = 0.125, 0.4


@dataclass(frozen=True)
class Codes:
    """Converts between stored values, from `low` to `high`, and planes.

    `zero` becomes 0, and `zero` + `span` becomes 1. 0 is black and 1 is white, or code 0 and code 255 in studio range.
    Floats and measured values have other ranges where theirs are far from black and white, since networks are trained
    on values from 0 to 1 and are not linear outside: Acute fell 9 dB below bicubic on images moved by 0.5. What lies
    beyond black and white is cut off before the networks, enlarged by bicubic and added to their result.

    Attributes:
        dtype: Of the stored values.
        low: The least value that integers, and alpha, are limited to.
        high: The greatest one.
        zero: (C, 1, 1), the value that becomes 0 in each plane.
        span: The distance from `zero` to the value that becomes 1: one number, or (C, 1, 1).
        names: Which planes there are.
        black: In planes, the least value that networks read.
        white: In planes, the greatest one.
        beyond: Whether values below black or above white exist.
        constant_alpha: The stored alpha if all pixels share one value, so that alpha needs no plane; else None.
    """

    dtype: np.dtype[Any]
    low: np.floating[Any]
    high: np.floating[Any]
    zero: NDArray[np.floating[Any]]
    span: np.floating[Any] | NDArray[np.floating[Any]]
    names: PlaneSlices
    constant_alpha: float | None
    black: np.float32
    white: np.float32
    beyond: bool

    @classmethod
    def for_image(cls, header: Header, found: Facts, *, studio: bool) -> Codes:
        """The codes of one image; `studio` makes planes in studio range, as luma is."""
        if header.measured is not None:
            return cls._for_bands(header, found, studio=studio)
        names = PlaneSlices.build(colours=header.colours, alpha=header.alpha and found.constant_alpha is None)
        low, high = header.levels
        zero = np.full((names.count, 1, 1), low, np.float64)
        span: Any = np.float64(high - low)
        beyond = False
        if found.range is not None:
            first, last = _float_range(found.range, header.levels)
            if (first, last) != (low, high):
                span = np.full_like(zero, span)
                zero[names.colour], span[names.colour] = first, last - first
            beyond = found.range.least < first or found.range.most > last
        if studio:
            span = span / colour.STUDIO_SPAN
            zero -= colour.STUDIO_BLACK * span
        return cls(
            header.dtype,
            np.float32(low),
            np.float32(high),
            zero.astype(np.float32),
            span.astype(np.float32),
            names,
            found.constant_alpha,
            *_ends(studio),
            beyond,
        )

    @classmethod
    def _for_bands(cls, header: Header, found: Facts, *, studio: bool) -> Codes:
        """The codes of a measured image: each band has its own range."""
        exact = exact_type(header.dtype)
        names = PlaneSlices.build(colours=header.colours, alpha=False, bands=True)
        known = (None,) * header.colours if found.survey is None else found.survey.ranges
        ranges = [each or _NOTHING for each in known]
        zero = np.array([each.low for each in ranges], np.float64)[:, None, None]
        span = np.array([(each.high - each.low) or 1.0 for each in ranges], np.float64)[:, None, None]
        beyond = any(each.least < min(each.low, each.high) or each.most > max(each.low, each.high) for each in ranges)
        if studio:
            span /= colour.STUDIO_SPAN
            zero -= colour.STUDIO_BLACK * span
        low, high = (exact(level) for level in header.levels)
        zero, span = zero.astype(exact), span.astype(exact)
        return cls(header.dtype, low, high, zero, span, names, None, *_ends(studio), beyond)

    def to_planes(self, rows: NDArray[Any]) -> Planes:
        """(h, W, channels) as stored -> (C, h, W)."""
        planes = np.array(rows[..., : self.names.count].transpose(2, 0, 1), self.zero.dtype, order="C")
        planes -= self.zero
        planes /= self.span
        return planes.astype(np.float32, copy=False)

    def to_stored(self, planes: Planes) -> NDArray[Any]:
        """(C, h, W) -> (h, W, channels) as stored, a constant alpha included. May overwrite `planes`."""
        integer = self.dtype.kind != "f"
        exact = planes.astype(self.zero.dtype, copy=False)
        exact *= self.span
        exact += self.zero + self.zero.dtype.type(0.5) if integer else self.zero
        clipped = exact if integer else exact[self.names.alpha]
        np.maximum(clipped, self.low, out=clipped)
        np.minimum(clipped, self.high, out=clipped)
        if self.dtype.kind == "i":  # conversion truncates, which rounds values >= 0 down
            np.floor(exact, out=exact)
        rows = np.empty((*exact.shape[1:], len(exact) + (self.constant_alpha is not None)), self.dtype)
        for n, plane in enumerate(exact):  # three times as fast as one pass over all channels
            rows[..., n] = plane
        if self.constant_alpha is not None:
            rows[..., -1] = self.constant_alpha
        return rows


_NOTHING = BandRange(0.0, 0.0, 0.0, 0.0, 0.0)


def _ends(studio: bool) -> tuple[np.float32, np.float32]:
    """Black and white in planes."""
    if not studio:
        return np.float32(0), np.float32(1)
    return np.float32(colour.STUDIO_BLACK), np.float32(colour.STUDIO_BLACK + colour.STUDIO_SPAN)


def _float_range(found: BandRange, levels: tuple[float, float]) -> tuple[float, float]:
    """The range of the colours of a float image: its levels if its values fill them, or else that of its values."""
    black, white = levels
    span = white - black
    near = black - _OUTSIDE * span <= found.low and found.high <= white + _OUTSIDE * span
    if found.low == found.high or (near and found.high - found.low >= _USED * span):
        return levels
    return found.low, found.high
