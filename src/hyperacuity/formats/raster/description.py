"""What a raster says besides its pixels and its place, and what of it holds for an enlarged copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperacuity.formats.raster.attribute_tables import read_tables

Tags = Mapping[str, Mapping[str, str]]

# Namespaces that GDAL makes anew, or that describe the file and not its content; RPCs are written as such.
_STRUCTURE = frozenset(("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "rio_creation_kwds", "RPC"))
# Namespaces that name positions in old pixels, or other files.
_LOST_NAMESPACES = {"GEOLOCATION": "geolocation arrays", "OVERVIEWS": "", "LocationInfo": ""}
_STATISTICS = "STATISTICS_"
_OUTDATED_TAGS = frozenset(("OVR_RESAMPLING_ALG", "TIFFTAG_MINSAMPLEVALUE", "TIFFTAG_MAXSAMPLEVALUE"))


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
        tables_beside: A file to write beside the copy; None for none.
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
    tables_beside: bytes | None
    lost: tuple[str, ...]


def read_description(dataset: Any, path: Path) -> Description:
    """Return the description in an open dataset of rasterio and in its sidecar."""
    bands = range(1, dataset.count + 1)
    tables = tuple(_table(dataset, band) for band in bands)
    beside = read_tables(path)
    spaces = {name for name in dataset.tag_namespaces() if name not in _STRUCTURE}
    lost = [label for name, label in _LOST_NAMESPACES.items() if label and name in spaces]
    lost += beside.lost
    if dataset.subdatasets:
        lost.append(f"{len(dataset.subdatasets) - 1} further images")
    bits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    thematic = any(dataset.tags(band).get("LAYER_TYPE", "").lower() == "thematic" for band in bands)
    if thematic and dataset.driver == "HFA":
        lost.append("the raster attribute table inside, if there is one")
    classes = "a colour table" if any(tables) else "a thematic layer" if thematic else beside.classes
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
        tables_beside=beside.content,
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
