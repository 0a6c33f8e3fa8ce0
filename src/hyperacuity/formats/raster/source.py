"""Opens a raster and reads its rows, a block at a time, as often as they are needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.raster.dependency import CACHE, load_rasterio, reading
from hyperacuity.formats.raster.description import Description, read_description
from hyperacuity.formats.raster.georeference import Georeference, read_georeference
from hyperacuity.formats.raster.recognition import find_driver
from hyperacuity.image import Array, Header, Measured, Strips

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
# About this many values are read at once.
_READ = 1 << 21
# A file that claims more bytes of pixels than this, and this multiple of its size, is made to fill disks.
_LARGE, _BOMB = 1 << 34, 50_000


@dataclass(frozen=True)
class Layout:
    """How a file stores its pixels.

    Args:
        block: (rows, columns) of a tile; None if it is stored in rows.
        compression: GDAL's name; None if there is none.
        predictor: "2" or "3", or None.
        by_pixel: Whether the bands of a pixel are stored together.
        white_is_zero: Whether 0 is shown as white.
        overviews: Whether there are reduced copies inside the file or next to it.
    """

    block: tuple[int, int] | None
    compression: str | None
    predictor: str | None
    by_pixel: bool
    white_is_zero: bool
    overviews: bool


class RasterSource:
    """A raster on disk; only its headers are read when it is opened.

    Args:
        path: A local file.

    Raises:
        MissingDependency: If rasterio is not installed.
        UnsupportedFormat: If its values are complex or have 64 bits, it has subdatasets, or its bands differ in type.
        DamagedFile: If its headers cannot be read.

    Attributes:
        path: The file.
        georeference: Where it lies.
        description: What its bands mean.
        layout: How it is stored.
        mask: Whether a mask or an alpha band marks pixels without a measurement.
    """

    def __init__(self, path: Path) -> None:
        driver = find_driver(path)
        if driver is None:
            raise UnsupportedFormat(f"{path} is not a raster that is read here")
        # An absolute path is never taken for a URL or the name of a subdataset.
        self.path, self._driver = path, driver
        self._name = str(path.absolute())
        with reading(path), self._open() as dataset:
            self._check(dataset)
            self.height, self.width = dataset.height, dataset.width
            self.georeference: Georeference = read_georeference(dataset)
            self.description: Description = read_description(dataset, path)
            self.layout = _layout(dataset)
            flags = [flag.name for each in dataset.mask_flag_enums for flag in each]
            self.mask = "per_dataset" in flags
            self._rows_at_once = _rows_at_once(dataset)
            self._nodata = [_stored(value, dataset.dtypes[0]) for value in dataset.nodatavals]

    def _open(self) -> Any:
        return load_rasterio("a raster").open(self._name, driver=self._driver)

    def _check(self, dataset: Any) -> None:
        if not dataset.count:
            names = ", ".join(name.rsplit(":", 1)[-1] for name in dataset.subdatasets)
            raise UnsupportedFormat(f"{self.path} holds several rasters; store one as GeoTIFF first; there are {names}")
        types = set(dataset.dtypes)
        if len(types) > 1:
            raise UnsupportedFormat(f"the bands of {self.path} have several types: {', '.join(sorted(types))}")
        (dtype,) = types
        if dtype not in _TYPES:
            why = (
                "complex values are not intensities" if "complex" in dtype else "there is no exact way to enlarge them"
            )
            raise UnsupportedFormat(f"{self.path} holds values of type {dtype}: {why}")
        if any(not flags for flags in dataset.mask_flag_enums):
            raise UnsupportedFormat(f"the bands of {self.path} have masks of their own, which a GeoTIFF cannot hold")
        size = dataset.width * dataset.height * dataset.count * np.dtype(dtype).itemsize
        if size > max(_LARGE, _BOMB * self.path.stat().st_size):
            raise DamagedFile(
                f"{self.path} claims {dataset.width}x{dataset.height} pixels, but is far too small for them"
            )

    @property
    def suffix(self) -> str:
        """The ending of a result."""
        return self.path.suffix if self._driver == "GTiff" and self.path.suffix else ".tif"

    @property
    def nodata(self) -> float | int | None:
        """The stored value that marks pixels without a measurement, in all bands; None also for NaN."""
        value = next((each for each in self._nodata if each is not None), None)
        return None if value is None or math.isnan(value) else value

    def strips(self, *, categorical: bool = False) -> Strips:
        """Return the pixels; the rows can be read again and again.

        Args:
            categorical: Whether the values are names of classes.
        """
        dtype = np.dtype(self.description.dtype)
        levels: tuple[float, float] = (0, 1)
        if dtype.kind != "f":
            limits = np.iinfo(dtype)
            levels = limits.min, limits.max if self.description.bits is None else (1 << self.description.bits) - 1
        nodata = self.nodata
        measured = Measured(
            invalid=None if nodata is None else (nodata, nodata),
            mask=self.mask,
            categorical=categorical or bool(self.description.classes),
        )
        header = Header(self.height, self.width, self.description.count + self.mask, dtype, levels, measured=measured)
        return Strips(header, _Rows(self))

    def read_rows(self) -> Iterator[Array]:
        """Read all rows once, from top to bottom.

        Raises:
            DamagedFile: If a block cannot be read.
        """
        window = load_rasterio("a raster").windows.Window
        with reading(self.path), self._open() as dataset:
            for top in range(0, self.height, self._rows_at_once):
                part = window(0, top, self.width, min(self._rows_at_once, self.height - top))
                bands = dataset.read(window=part)
                self._unify(bands)
                if self.mask:
                    mask = (dataset.dataset_mask(window=part) != 0).astype(bands.dtype)
                    bands = np.concatenate([bands, mask[None]])
                yield np.ascontiguousarray(bands.transpose(1, 2, 0))

    def _unify(self, bands: Array) -> None:
        """Give all bands the no-data value of the first, in place: a GeoTIFF has only one."""
        nodata = self.nodata
        for band, own in zip(bands, self._nodata, strict=True):
            if own is not None and nodata is not None and own != nodata and not math.isnan(own):
                band[band == own] = nodata


class _Rows:
    """The rows of a source, which start again each time they are iterated."""

    def __init__(self, source: RasterSource) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Array]:
        return self._source.read_rows()


def _stored(value: float | None, dtype: str) -> float | int | None:
    """A no-data value as a pixel holds it; None if no pixel can."""
    kind = np.dtype(dtype)
    if value is None or (kind.kind != "f" and (math.isnan(value) or value != int(value))):
        return None
    if kind.kind == "f":
        return float(kind.type(value))
    limits = np.iinfo(kind)
    return int(value) if limits.min <= value <= limits.max else None


def _layout(dataset: Any) -> Layout:
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    rows, columns = dataset.block_shapes[0]
    return Layout(
        block=(rows, columns) if dataset.driver == "GTiff" and dataset.profile.get("tiled") else None,
        compression=structure.get("COMPRESSION") if dataset.driver == "GTiff" else "DEFLATE",
        predictor=structure.get("PREDICTOR"),
        by_pixel=structure.get("INTERLEAVE") == "PIXEL",
        white_is_zero=dataset.tags(1, ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES",
        overviews=bool(dataset.overviews(1)),
    )


def _rows_at_once(dataset: Any) -> int:
    """Rows of about `_READ` values; of whole blocks if GDAL's cache cannot hold a row of blocks for each reader."""
    block = int(dataset.block_shapes[0][0])
    height, wanted = int(dataset.height), max(1, int(_READ // (dataset.width * dataset.count)))
    if block * dataset.width * dataset.count * np.dtype(dataset.dtypes[0]).itemsize <= CACHE << 20 >> 2:
        return min(height, wanted)
    return min(height, max(wanted // block, 1) * block if block < height else wanted)
