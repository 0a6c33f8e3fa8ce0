"""OME-XML, the description of a microscope's images in the first page of an OME-TIFF, for the enlarged image.

Source: OME model 2016-06 (https://docs.openmicroscopy.org/ome-model/). Only attributes change; the rest of the text
stays as it is, byte for byte.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from xml.parsers import expat

from hyperacuity.image import Header

# Attributes of shapes that are counted in pixels, across and down.
_ACROSS = frozenset({"X", "X1", "X2", "Width", "RadiusX"})
_DOWN = frozenset({"Y", "Y1", "Y2", "Height", "RadiusY"})
_SHAPES = frozenset({"Rectangle", "Ellipse", "Point", "Line", "Polygon", "Polyline", "Label"})
# Types of pixels that become others.
_TYPES = {"double": "float", "bit": "uint8"}
_FILE_NAME = re.compile(rb"""FileName\s*=\s*("[^"]*"|'[^']*')""")
_ATTRIBUTE = re.compile(rb"""([\w:.-]+)(\s*=\s*)("[^"]*"|'[^']*')""")

Attributes = dict[str, str]


def accepts(description: bytes) -> bool:
    """Return whether a description is OME-XML."""
    return re.search(rb"<(\w+:)?OME[\s>]", description[:4096]) is not None


def has_other_files(description: bytes) -> bool:
    """Return whether the description speaks of other files that belong to this one."""
    return len(set(_FILE_NAME.findall(description))) > 1 or b"BinaryOnly" in description


def enlarged(xml: bytes, header: Header, scale: tuple[Fraction, Fraction], name: str) -> bytes:
    """Return the description of the enlarged image.

    Args:
        xml: The description; one that is not well-formed is returned as it is.
        header: The enlarged image.
        scale: How much wider and higher it is.
        name: The name of the file.
    """
    identifier = ""

    def change(element: str, old: Attributes) -> Attributes:
        nonlocal identifier
        if element == "OME" and "UUID" in old:
            # Another file has another identifier, and the same file always the same.
            identifier = old["UUID"]
            return {"UUID": _identifier(identifier, header)}
        if element == "UUID" and "FileName" in old and not has_other_files(xml):
            return {"FileName": name}
        if element == "Pixels":
            # Images of one file may have several sizes.
            new = {f"Size{axis}": _multiplied(old.get(f"Size{axis}", "0"), times) for axis, times in _axes(scale)}
            for axis, times in _axes(scale):
                if f"PhysicalSize{axis}" in old:
                    new[f"PhysicalSize{axis}"] = _divided(old[f"PhysicalSize{axis}"], times)
            return new | {"Type": _TYPES.get(old.get("Type", ""), old.get("Type", ""))}
        if element in _SHAPES:
            return _moved(old, scale)
        return {}

    changed = _retagged(xml.rstrip(b"\0"), change)
    if identifier:
        changed = changed.replace(f">{identifier}<".encode(), f">{_identifier(identifier, header)}<".encode())
    return changed


def _axes(scale: tuple[Fraction, Fraction]) -> Iterable[tuple[str, Fraction]]:
    return zip("XY", scale, strict=True)


def _identifier(old: str, header: Header) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{old} {header.width}x{header.height}')}"


def _moved(old: Attributes, scale: tuple[Fraction, Fraction]) -> Attributes:
    """The attributes of a region that are counted in pixels."""
    new = {key: _divided(value, 1 / scale[0]) for key, value in old.items() if key in _ACROSS}
    new |= {key: _divided(value, 1 / scale[1]) for key, value in old.items() if key in _DOWN}
    if "Points" in old:
        pairs = [pair.split(",") for pair in old["Points"].split()]
        if all(len(pair) == 2 for pair in pairs):
            moved = [f"{_divided(x, 1 / scale[0])},{_divided(y, 1 / scale[1])}" for x, y in pairs]
            new["Points"] = " ".join(moved)
    return new


def _multiplied(value: str, times: Fraction) -> str:
    """A number of pixels multiplied; what is not a number stays."""
    try:
        return str(round(int(value) * times))
    except ValueError:
        return value


def _divided(value: str, by: Fraction) -> str:
    """A decimal number divided; what is not a number stays."""
    try:
        return repr(float(Fraction(value.strip()) / by))
    except ValueError:
        return value


def _retagged(xml: bytes, change: Callable[[str, Attributes], Attributes]) -> bytes:
    """The document with attributes of its elements changed as `change` states, and all else as it is."""
    edits: list[tuple[int, Attributes]] = []
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def start(name: str, attributes: Attributes) -> None:
        if new := change(name.rpartition(":")[2], attributes):
            edits.append((parser.CurrentByteIndex, new))

    parser.StartElementHandler = start
    try:
        parser.Parse(xml, True)
    except expat.ExpatError:
        return xml
    parts, done = [], 0
    for at, new in edits:
        end = _end_of_tag(xml, at)
        parts += [xml[done:at], _ATTRIBUTE.sub(partial(_replaced, new), xml[at:end])]
        done = end
    return b"".join([*parts, xml[done:]])


def _replaced(new: Attributes, match: re.Match[bytes]) -> bytes:
    value = new.get(match[1].decode())
    if value is None:
        return match[0]
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return match[1] + match[2] + f'"{escaped}"'.encode()


def _end_of_tag(xml: bytes, at: int) -> int:
    """Where the tag that starts at `at` ends; its values may hold ">"."""
    quote = 0
    for place in range(at, len(xml)):
        byte = xml[place]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return place + 1
    return len(xml)
