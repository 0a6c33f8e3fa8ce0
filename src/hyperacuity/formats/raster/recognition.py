"""Which files are rasters: by their first bytes and, for TIFF, by the tags of the first directory."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hyperacuity.errors import DamagedFile, HyperacuityError
from hyperacuity.formats.content import Content, open_content
from hyperacuity.formats.photo.tiff_tags import Tiff

# The endings of results.
SUFFIXES = (".tif", ".tiff")

# ModelPixelScale, ModelTiepoint, ModelTransformation, GeoKeyDirectory, GDAL's metadata and no-data, RPCCoefficient.
# Any of them tells that the pixels are more than an image.
_GEOTIFF_TAGS = frozenset((33550, 33922, 34264, 34735, 42112, 42113, 50844))
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The box of GeoJP2, and the label of GMLJP2.
_GEO_JPEG_2000 = (bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"), b"gml.data")
_JPEG_2000_START = 1 << 16
# The first bytes of other rasters, and GDAL's name for the driver. No other driver is ever used: some of GDAL's open
# URLs or any path that a file names.
_SIGNATURES = (
    (b"EHFA_HEADER_TAG", "HFA"),
    (b"UHL1", "DTED"),
    (b"CDF\x01", "netCDF"),
    (b"CDF\x02", "netCDF"),
)
_ENVI_HEADER = ".hdr"
_ENVI_SUFFIXES = frozenset(("", ".img", ".dat", ".bin", ".raw", ".bil", ".bsq", ".bip"))
# Images that can be read without rasterio, with a warning of what is lost.
_ALSO_IMAGES = ("GTiff", "JP2OpenJPEG")


def find_driver(path: Path) -> str | None:
    """Return GDAL's name of the driver for a raster; None for other files.

    Args:
        path: A file that exists.
    """
    try:
        content = open_content(path)
    except HyperacuityError:
        return None  # opening it as an image raises the error
    head = content.head
    if head.startswith(_TIFF):
        return "GTiff" if _is_geotiff(content) else None
    if head[4:8] == b"jP  ":
        start = content.part(0, _JPEG_2000_START)
        return "JP2OpenJPEG" if any(mark in start for mark in _GEO_JPEG_2000) else None
    for signature, driver in _SIGNATURES:
        if head.startswith(signature):
            return driver
    if head[:16].lower().startswith((b"ncols ", b"nrows ")):
        return "AAIGrid"
    return "ENVI" if path.suffix.lower() in _ENVI_SUFFIXES and _has_envi_header(path) else None


def accepts(path: Path) -> bool:
    """Return whether a file is a raster that is read here.

    A GeoTIFF is read as an image, which names what is lost, if rasterio is not installed.
    """
    driver = find_driver(path)
    return driver is not None and (driver not in _ALSO_IMAGES or importlib.util.find_spec("rasterio") is not None)


def _is_geotiff(content: Content) -> bool:
    try:
        tiff = Tiff(content.whole())
        return not _GEOTIFF_TAGS.isdisjoint(tiff.directory(tiff.first)[0])
    except DamagedFile:
        return False  # reading it as an image says what is damaged


def is_envi_header(path: Path) -> bool:
    """Return whether a file describes the values in another file, as rasters of ENVI have it."""
    try:
        with path.open("rb") as file:
            return path.suffix.lower() == _ENVI_HEADER and file.read(4) == b"ENVI"
    except OSError:
        return False


def _has_envi_header(path: Path) -> bool:
    headers = path.with_suffix(_ENVI_HEADER), path.with_name(path.name + _ENVI_HEADER)
    return any(header != path and is_envi_header(header) for header in headers)
