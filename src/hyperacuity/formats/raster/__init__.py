"""Georeferenced rasters: GeoTIFF in and out, and other local rasters that GDAL reads, in.

    recognition  which files are rasters, and GDAL's driver for each: `find_driver`, `accepts`
    dependency   rasterio, an extra, and its errors in our words
    description  what a raster says besides its pixels, and the same for its enlarged copy: `Description`
    georeference where its pixels lie: transform, ground control points, RPCs
    source       opens a raster and reads its rows: `RasterSource`
    sink         writes a GeoTIFF, block by block: `RasterSink`

These files do not go through the table of image formats: their channels are measurements and not colours, and they have
a place on the ground. A TIFF without tags of GeoTIFF or GDAL is an image.
"""

from __future__ import annotations

from hyperacuity.formats.raster.recognition import SUFFIXES, accepts

__all__ = ["SUFFIXES", "accepts"]
