"""Tables about the values of classes, which GDAL keeps in a file beside a raster: attributes, and names of categories.

Classes are repeated by nearest, so what a table says of a value still holds; counts of pixels do not and are left out.

Source: the .aux.xml files of GDAL's PAM, https://gdal.org/en/stable/development/rfc/rfc10_pam.html.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from hyperacuity.storage import write_whole

_ENDING = ".aux.xml"
_LIMIT = 16 << 20
_NAMES, _ATTRIBUTES = "CategoryNames", "GDALRasterAttributeTable"
# The usage of a column that counts pixels.
_COUNT = "1"
# What else may lie beside a raster and is about its old pixels: statistics, overviews, masks.
_BESIDE = (_ENDING, ".ovr", ".msk")


@dataclass(frozen=True)
class ClassTables:
    """What the file beside a raster says about classes.

    Args:
        content: A file to write beside a result; None for none.
        classes: Why the values must be names of classes, in words; "" if nothing says so.
        lost: What a result cannot keep, in words.
    """

    content: bytes | None = None
    classes: str = ""
    lost: tuple[str, ...] = ()


def read_tables(path: Path) -> ClassTables:
    """Return the tables in the file beside a raster; none if it cannot be read."""
    try:
        with path.with_name(path.name + _ENDING).open("rb") as file:
            root = ElementTree.fromstring(file.read(_LIMIT))
    except (OSError, ElementTree.ParseError):
        return ClassTables()
    result = ElementTree.Element("PAMDataset")
    found: dict[str, None] = {}
    lost: dict[str, None] = {}
    for band in root.iter("PAMRasterBand"):
        kept = ElementTree.SubElement(result, "PAMRasterBand", band=band.get("band", "1"))
        for table in band:
            if table.tag == _NAMES:
                found["names of categories"] = None
                kept.append(table)
            elif table.tag == _ATTRIBUTES:
                if table.get("tableType") == "athematic":
                    lost["a raster attribute table of ranges, not of classes"] = None
                    continue
                found["a raster attribute table"] = None
                if _without_counts(table):
                    lost["counts of pixels in the raster attribute table"] = None
                kept.append(table)
    content = ElementTree.tostring(result) if found else None
    return ClassTables(content, next(iter(found), ""), tuple(lost))


def _without_counts(table: ElementTree.Element) -> bool:
    """Remove the columns that count pixels, in place. Returns whether there were some."""
    columns = table.findall("FieldDefn")
    counts = {n for n, column in enumerate(columns) if column.findtext("Usage") == _COUNT}
    for n in counts:
        table.remove(columns[n])
    for n, column in enumerate(table.findall("FieldDefn")):
        column.set("index", str(n))
    for row in table.findall("Row"):
        cells = row.findall("F")
        for n in counts & set(range(len(cells))):
            row.remove(cells[n])
    return bool(counts)


@contextlib.contextmanager
def replacing(path: Path, content: bytes | None) -> Iterator[None]:
    """Write the tables beside a result that is put in its place, and remove what lies there about an older one."""
    yield
    for ending in _BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    if content is not None:
        write_whole(path.with_name(path.name + _ENDING), content)
