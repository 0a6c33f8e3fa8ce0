"""Enlarges georeferenced rasters, such as satellite scenes: a GeoTIFF that lies where its source lies.

    from hyperacuity import Size, load, raster

    raster.upscale(load("acute-10k"), Path("scene.tif"), Path("scene-x2.tif"), Size(2))

run         the whole task: `upscale`
provenance  how a result was made, as tags inside it
previewing  a part of a scene before and after, as an image: `preview`
"""

from __future__ import annotations

from hyperacuity.raster.previewing import preview
from hyperacuity.raster.run import upscale

__all__ = ["preview", "upscale"]
