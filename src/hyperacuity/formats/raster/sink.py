"""Writes a GeoTIFF a row of blocks at a time, whole or not at all."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from hyperacuity.errors import UnsupportedFormat, UsageError
from hyperacuity.formats.protocol import LossWarning, PlaceWarning
from hyperacuity.formats.raster.attribute_tables import replacing
from hyperacuity.formats.raster.dependency import load_rasterio, writing
from hyperacuity.formats.raster.description import Description
from hyperacuity.formats.raster.recognition import SUFFIXES
from hyperacuity.formats.raster.source import Layout, RasterSource
from hyperacuity.image import Array, Strips
from hyperacuity.storage import Partial, storing

NAMESPACE = "HYPERACUITY"

# Lossless compressions of GeoTIFF. A result in any other is compressed by DEFLATE, so that its values stay as computed.
# LERC is lossless as long as no error is allowed, which is its default.
_LOSSLESS = ("LZW", "DEFLATE", "ZSTD", "PACKBITS", "LZMA", "LERC", "LERC_DEFLATE", "LERC_ZSTD")
_WITH_PREDICTOR = ("LZW", "DEFLATE", "ZSTD")
_BLOCK = 512
# Bytes of a row of blocks that is gathered before it is written; wider rasters get smaller blocks.
_GATHERED = 96 << 20
# Overviews end where the longer side is at most this.
_SMALLEST_OVERVIEW = 256


class RasterSink:
    """A GeoTIFF that is being written, under a temporary name until the `with` block ends without an error.

    Args:
        path: The file to write.
        like: The raster whose place, meaning and layout it takes over.
        height: Of the result, in pixels.
        width: Likewise.
        cog: Whether to write a cloud-optimised GeoTIFF.
        nearest: Whether overviews are made by nearest and not by averages, as classes must be.

    Raises:
        UnsupportedFormat: If the ending is not that of a GeoTIFF.
    """

    def __init__(
        self, path: Path, like: RasterSource, height: int, width: int, *, cog: bool = False, nearest: bool = False
    ) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise UnsupportedFormat(f"{path}: a raster is written as GeoTIFF; give it the ending .tif")
        self._path, self._like, self._size = path, like, (height, width)
        self._cog, self._overviews, self._nearest = cog, like.layout.overviews, nearest
        self._block = _block(like.layout, like.description, height, width)
        self._open = contextlib.ExitStack()
        self._partial: Partial | None = None
        self._dataset: Any = None

    def __enter__(self) -> Self:
        with storing(self._path):
            self._partial = Partial(self._path)
        self._open.callback(self._partial.discard)
        self._partial.file.close()
        rasterio = load_rasterio("a raster")
        with contextlib.ExitStack() as failed:
            failed.push(self._open)
            with writing(self._path):
                self._dataset = rasterio.open(str(self._partial.name.absolute()), "w", **self._profile())
                failed.callback(self._dataset.close)
                _describe(self._dataset, self._like, *self._size)
            failed.pop_all()
        return self

    def _profile(self) -> dict[str, Any]:
        description, layout = self._like.description, self._like.layout
        place = self._like.georeference.enlarged(self._size[0] / self._like.height, self._size[1] / self._like.width)
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "height": self._size[0],
            "width": self._size[1],
            "count": description.count,
            "dtype": description.dtype,
            "crs": place.crs,
            "BIGTIFF": "IF_SAFER",
            "INTERLEAVE": "PIXEL" if layout.by_pixel else "BAND",
        } | compression(layout, description)
        if place.transform is not None:
            profile["transform"] = place.transform
        if self._like.nodata is not None or _is_nan(description.nodata):
            profile["nodata"] = self._like.nodata if self._like.nodata is not None else math.nan
        if description.bits is not None:
            profile["NBITS"] = description.bits
        colours = [each.name for each in description.colours]
        if colours[:3] == ["red", "green", "blue"]:
            profile["PHOTOMETRIC"] = "RGB"
        elif layout.white_is_zero:
            profile["PHOTOMETRIC"] = "MINISWHITE"
        if self._block is not None:
            profile |= {"tiled": True, "blockysize": self._block[0], "blockxsize": self._block[1]}
        return profile

    def write(self, strips: Strips) -> None:
        """Write all rows of the result.

        Raises:
            UsageError: If the disk is full.
        """
        rasterio = load_rasterio("a raster")
        top = 0
        rows = self._block[0] if self._block is not None else max(1, (4 << 20) // max(1, strips.header.width))
        for block in _regrouped(strips.rows, rows):
            window = rasterio.windows.Window(0, top, block.shape[1], len(block))
            with writing(self._path):
                self._dataset.write(self._bands(block, window), window=window)
            top += len(block)

    def _bands(self, block: Array, window: Any) -> Array:
        """The bands of some rows; their mask is written, or agrees with alpha."""
        bands = block.transpose(2, 0, 1)
        if not self._like.mask:
            return bands
        bands, mask = bands[:-1].copy(), bands[-1] != 0
        colours = [each.name for each in self._like.description.colours]
        if "alpha" in colours:
            alpha = bands[colours.index("alpha")]
            least = 1 if alpha.dtype.kind != "f" else np.finfo(alpha.dtype).tiny
            alpha[mask & (alpha <= 0)] = least  # else a valid pixel would become transparent
        else:
            self._dataset.write_mask(mask, window=window)
        return bands

    def state(self, tags: Mapping[str, str]) -> None:
        """State how the result was made, in a namespace of its own."""
        self._dataset.update_tags(ns=NAMESPACE, **tags)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._partial is not None
        with self._open:
            if kind is not None:
                with contextlib.suppress(UsageError), writing(self._path):
                    self._dataset.close()  # its file is removed, whatever is wrong with it
                return
            with storing(self._path), writing(self._path):
                self._dataset.close()
                with replacing(self._path, self._like.description.tables_beside):
                    self._finish(self._partial)

    def _finish(self, written: Partial) -> None:
        """Add overviews or make the file cloud-optimised, and put it in its place."""
        rasterio = load_rasterio("a raster")
        method = "nearest" if self._nearest else "average"
        if not self._cog:
            if self._overviews and (factors := overview_factors(*self._size)):
                with rasterio.open(str(written.name.absolute()), "r+", driver="GTiff") as dataset:
                    dataset.build_overviews(factors, rasterio.enums.Resampling[method])
            written.commit()
            return
        final = Partial(self._path)
        try:
            final.file.close()
            options = compression(self._like.layout, self._like.description)
            options = {
                "COMPRESS": options.get("COMPRESS", "NONE"),
                "PREDICTOR": "YES" if "PREDICTOR" in options else "NO",
            }
            rasterio.shutil.copy(
                str(written.name.absolute()),
                str(final.name.absolute()),
                driver="COG",
                OVERVIEW_RESAMPLING=method,
                BIGTIFF="IF_SAFER",
                COPY_SRC_MDD="YES",
                **options,
            )
            final.commit()
        finally:
            final.discard()


def compression(layout: Layout, description: Description) -> dict[str, Any]:
    """Return GDAL's options for the compression of a result: that of its source, if it is lossless."""
    if layout.compression is None:
        return {}
    name = layout.compression if layout.compression in _LOSSLESS else "DEFLATE"
    if name not in _WITH_PREDICTOR or description.bits is not None or any(description.tables):
        return {"COMPRESS": name}
    if layout.predictor is None and layout.compression in _LOSSLESS:
        return {"COMPRESS": name}
    return {"COMPRESS": name, "PREDICTOR": 3 if description.dtype.startswith("float") else 2}


def overview_factors(height: int, width: int) -> list[int]:
    """Return how many times smaller each overview is: powers of two, down to one that fits a screen.

    Example:
        >>> overview_factors(2000, 900)
        [2, 4, 8]
    """
    factors = []
    factor = 2
    while max(height, width) * 2 / factor > _SMALLEST_OVERVIEW * 1.5 and min(height, width) >= factor:
        factors.append(factor)
        factor *= 2
    return factors


def _block(layout: Layout, description: Description, height: int, width: int) -> tuple[int, int] | None:
    """(rows, columns) of a tile; None for rows, as small rasters have them."""
    if layout.block is None and max(height, width) <= _BLOCK:
        return None
    rows, columns = layout.block or (_BLOCK, _BLOCK)
    row = width * (description.count + 1) * np.dtype(description.dtype).itemsize
    while rows > 64 and rows % 32 == 0 and rows * row > _GATHERED:
        rows //= 2
    return rows, columns


def _describe(dataset: Any, like: RasterSource, height: int, width: int) -> None:
    """Write everything except pixels; what does not fit is named in one warning."""
    place = like.georeference.enlarged(height / like.height, width / like.width)
    description, lost = like.description, list(like.description.lost)
    for space, tags in description.tags.items():
        if space.startswith("xml:"):
            lost.append(f"tags of {space}")
        else:
            dataset.update_tags(**({"ns": space} if space else {}), **tags)
    for band, spaces in enumerate(description.band_tags, 1):
        for space, tags in spaces.items():
            dataset.update_tags(band, **({"ns": space} if space else {}), **tags)
    if place.gcps:
        dataset.gcps = list(place.gcps), place.gcps_crs
    if place.rpcs is not None:
        dataset.rpcs = place.rpcs
    _describe_bands(dataset, description)
    if description.nodata is not None and like.nodata is None and not _is_nan(description.nodata):
        lost.append(f"a no-data value that no pixel can have, {description.nodata:g}")
    if like.layout.compression is not None and like.layout.compression not in _LOSSLESS:
        lost.append(f"compression by {like.layout.compression}, which changes values: it is stored by DEFLATE")
    if faults := like.georeference.find_faults():
        warnings.warn(PlaceWarning(f"{like.path.name}: {' and '.join(faults)}; the result keeps this"), stacklevel=2)
    if lost:
        text = f"the result cannot keep {', '.join(lost)}"
        warnings.warn(LossWarning(f"{like.path.name}: {text}"), stacklevel=2)


def _describe_bands(dataset: Any, description: Description) -> None:
    """Write what each band means."""
    dataset.colorinterp = description.colours
    dataset.scales, dataset.offsets = description.scales, description.offsets
    if any(description.units):
        dataset.units = description.units
    for band, name in enumerate(description.names, 1):
        if name:
            dataset.set_band_description(band, name)
    for band, table in enumerate(description.tables, 1):
        if table:
            dataset.write_colormap(band, table)


def _regrouped(strips: Any, count: int) -> Iterator[Array]:
    """The same rows in groups of `count`, the last of which may have fewer."""
    held: list[Array] = []
    have = 0
    for strip in strips:
        rest = strip
        while len(rest):
            part, rest = rest[: count - have], rest[count - have :]
            held.append(part)
            have += len(part)
            if have == count:
                yield held[0] if len(held) == 1 else np.concatenate(held)
                held, have = [], 0
    if held:
        yield held[0] if len(held) == 1 else np.concatenate(held)


def _is_nan(value: float | None) -> bool:
    return value is not None and math.isnan(value)
