"""Where the pixels of a raster lie on the ground, and where those of its enlarged copy do.

The outer edges of the extent stay. Pixels are counted from the corner of the first one in transforms and ground control
points, and from its centre in RPCs.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, eq=False)
class Georeference:
    """The position of a raster, in rasterio's types.

    Args:
        crs: The coordinate reference system of `transform`, or None.
        transform: From (column, row) of pixel corners to coordinates; None if the file states none.
        gcps: Ground control points.
        gcps_crs: Their coordinate reference system.
        rpcs: Rational polynomial coefficients, or None.
    """

    crs: Any = None
    transform: Any = None
    gcps: tuple[Any, ...] = ()
    gcps_crs: Any = None
    rpcs: Any = None

    def enlarged(self, down: float, across: float) -> Georeference:
        """Return the position of an enlarged copy.

        Args:
            down: Rows of the copy per row, exactly: the ratio of the two heights, and not the requested scale.
            across: Columns per column.
        """
        transform, rpcs = self.transform, self.rpcs
        if transform is not None:
            a, b, c, d, e, f = tuple(transform)[:6]
            transform = type(transform)(a / across, b / down, c, d / across, e / down, f)
        gcps = []
        for point in self.gcps:
            moved = copy.copy(point)
            moved.row, moved.col = point.row * down, point.col * across
            gcps.append(moved)
        if rpcs is not None:
            rpcs = copy.copy(rpcs)
            rpcs.line_off, rpcs.samp_off = (rpcs.line_off + 0.5) * down - 0.5, (rpcs.samp_off + 0.5) * across - 0.5
            rpcs.line_scale, rpcs.samp_scale = rpcs.line_scale * down, rpcs.samp_scale * across
        return replace(self, transform=transform, gcps=tuple(gcps), rpcs=rpcs)

    def find_faults(self) -> list[str]:
        """Return what of it cannot be, in words."""
        faults = []
        if self.transform is not None:
            a, b, _, d, e, _ = numbers = tuple(self.transform)[:6]
            if not all(map(math.isfinite, numbers)):
                faults.append("its transform is not finite")
            elif a * e == b * d:
                faults.append("its transform is singular: it maps all pixels to one line or point")
        if any(not all(map(math.isfinite, (point.row, point.col, point.x, point.y))) for point in self.gcps):
            faults.append("a ground control point is not finite")
        return faults


def read_georeference(dataset: Any) -> Georeference:
    """Return the position that an open dataset of rasterio states."""
    gcps, gcps_crs = dataset.gcps
    transform = None if dataset.transform.is_identity else dataset.transform
    return Georeference(dataset.crs, None if gcps else transform, tuple(gcps), gcps_crs, dataset.rpcs)
