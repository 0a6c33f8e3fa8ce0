"""What a raster says besides its pixels and its place, and what of it holds for an enlarged copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Tags = Mapping[str, Mapping[str, str]]

# Namespaces that GDAL makes anew, or that describe the file and not its content; RPCs are written as such.
_STRUCTURE = frozenset(("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "rio_creation_kwds", "RPC"))
# Namespaces that name positions in old pixels, or other files.
_LOST_NAMESPACES = {"GEOLOCATION": "geolocation arrays", "OVERVIEWS": "", "LocationInfo": ""}
_STATISTICS = "STATISTICS_"
_OUTDATED_TAGS = frozenset(("OVR_RESAMPLING_ALG", "TIFFTAG_MINSAMPLEVALUE", "TIFFTAG_MAXSAMPLEVALUE"))
# Parts of GDAL's sidecar, .aux.xml, that rasterio does not hand out.
_SIDECAR = {"<GDALRasterAttributeTable": "raster attribute table", "<CategoryNames": "names of categories"}
_SIDECAR_LIMIT = 16 << 20


@dataclass(frozen=True, eq=False)
class Description:
    """What each band means, and the tags.

    Args:
        count: Bands.
        dtype: numpy's name of their type.
        nodata: The value of pixels without a measurement, or None.
        scales: For each band: value = stored x scale + offset.
        offsets: Likewise.
        units: For each band, or "".
        names: For each band, or "".
        colours: rasterio's interpretation of each band.
        tables: The colour table of each band; None for a band without one.
        tags: Of the dataset, by namespace; "" is the default one.
        band_tags: Likewise for each band.
        bits: Bits of a value if fewer than its type has, or None.
        classes: Why the values must be names of classes, in words; "" if nothing in the file says so.
        lost: What the copy cannot keep, in words.
    """

    count: int
    dtype: str
    nodata: float | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    units: tuple[str, ...]
    names: tuple[str, ...]
    colours: tuple[Any, ...]
    tables: tuple[Mapping[int, tuple[int, ...]] | None, ...]
    tags: Tags
    band_tags: tuple[Tags, ...]
    bits: int | None
    classes: str
    lost: tuple[str, ...]


def read_description(dataset: Any, path: Path) -> Description:
    """Return the description in an open dataset of rasterio and in its sidecar."""
    bands = range(1, dataset.count + 1)
    tables = tuple(_table(dataset, band) for band in bands)
    sidecar = _sidecar(path)
    spaces = {name for name in dataset.tag_namespaces() if name not in _STRUCTURE}
    lost = [label for name, label in _LOST_NAMESPACES.items() if label and name in spaces] + sidecar
    if dataset.subdatasets:
        lost.append(f"{len(dataset.subdatasets) - 1} further images")
    bits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    thematic = any(dataset.tags(band).get("LAYER_TYPE", "").lower() == "thematic" for band in bands)
    classes = "a colour table" if any(tables) else "a thematic layer" if thematic else sidecar[0] if sidecar else ""
    return Description(
        count=dataset.count,
        dtype=dataset.dtypes[0],
        nodata=dataset.nodata,
        scales=tuple(dataset.scales),
        offsets=tuple(dataset.offsets),
        units=tuple(unit or "" for unit in dataset.units),
        names=tuple(name or "" for name in dataset.descriptions),
        colours=tuple(dataset.colorinterp),
        tables=tables,
        tags=_tags(dataset, None),
        band_tags=tuple(_tags(dataset, band) for band in bands),
        bits=None if bits is None else int(bits),
        classes=classes,
        lost=tuple(lost),
    )


def _table(dataset: Any, band: int) -> Mapping[int, tuple[int, ...]] | None:
    try:
        return dict(dataset.colormap(band))
    except ValueError:
        return None


def _tags(dataset: Any, band: int | None) -> Tags:
    """The tags that hold for a copy, by namespace."""
    spaces = ["", *(dataset.tag_namespaces() if band is None else dataset.tag_namespaces(band))]
    found = {}
    for space in spaces:
        if space in _STRUCTURE or space in _LOST_NAMESPACES:
            continue
        arguments = {"ns": space} if space else {}
        tags = dataset.tags(**arguments) if band is None else dataset.tags(band, **arguments)
        kept = {
            key: value for key, value in tags.items() if not key.startswith(_STATISTICS) and key not in _OUTDATED_TAGS
        }
        if kept:
            found[space] = kept
    return found


def _sidecar(path: Path) -> list[str]:
    """What only the sidecar holds, in words."""
    try:
        with path.with_name(path.name + ".aux.xml").open("rb") as file:
            text = file.read(_SIDECAR_LIMIT).decode("utf-8", "replace")
    except OSError:
        return []
    return [label for mark, label in _SIDECAR.items() if mark in text]
