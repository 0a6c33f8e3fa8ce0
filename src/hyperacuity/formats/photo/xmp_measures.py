"""Sizes and places in an XMP packet that are measured in pixels: turned and scaled with the image.

Regions of the Metadata Working Group (Guidelines 2.0, 5.9), ACDSee, Microsoft (MP) and IPTC (Image Region 1.0),
panoramas (GPano), camera calibration of DJI, and EXIF's and TIFF's properties.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from hyperacuity.formats.photo.geometry import Turn
from hyperacuity.formats.photo.xmp import RDF, Element, Packet, Value

# Properties that a scale multiplies, across and down.
_SCALED = (
    ("GPano", "CroppedAreaImageWidthPixels", "CroppedAreaImageHeightPixels"),
    ("GPano", "FullPanoWidthPixels", "FullPanoHeightPixels"),
    ("GPano", "CroppedAreaLeftPixels", "CroppedAreaTopPixels"),
    ("GPano", "LargestValidInteriorRectLeft", "LargestValidInteriorRectTop"),
    ("GPano", "LargestValidInteriorRectWidth", "LargestValidInteriorRectHeight"),
    ("exif", "FocalPlaneXResolution", "FocalPlaneYResolution"),
    ("drone-dji", "CalibratedOpticalCenterX", "CalibratedOpticalCenterY"),
    ("drone-dji", "CalibratedFocalLength"),
)
# Frames that regions refer to, whose unit is stated, and the areas in them.
_FRAMES = (("stDim", "stArea"), ("acdsee-stDim", "acdsee-stArea"))
_PIXELS = ("", "pixel", "pixels")
_SUBJECTS = ("SubjectArea", "SubjectLocation")


def orientation(packet: Packet) -> int:
    """Return the orientation, 1 to 8, as EXIF counts; 1 if it is missing."""
    for value in packet.values("tiff", "Orientation"):
        if value.text.strip() in set("12345678"):
            return int(value.text)
    return 1


def turn(packet: Packet, by: Turn) -> None:
    """Set the orientation to 1 and turn everything that is measured in the image as it was stored.

    Args:
        packet: The packet.
        by: The turn, and the size of the image as it was stored.
    """
    for value in packet.values("tiff", "Orientation"):
        packet.replace(value, "1")
    if by.orientation == 1:
        return
    for frame, area in _FRAMES:
        if not _is_upright(packet, frame, by):
            _turn_areas(packet, area, by)
            for fields in packet.groups(frame):
                if by.swaps and _unit(fields, "unit") in _PIXELS:
                    _exchange(packet, fields, "w", "h")
    for value in packet.values("MPReg", "Rectangle"):
        numbers = _numbers(value.text.split(","))
        if len(numbers) == 4:
            packet.replace(value, ", ".join(map(_text, by.rectangle(numbers, (1, 1)))))
    for fields in packet.groups("Iptc4xmpExt"):
        _turn_boundary(packet, fields, by)
    for sequence in _subjects(packet):
        numbers = _numbers([entry.text for entry in sequence])
        if len(numbers) == len(sequence) >= 2:
            for entry, number in zip(sequence, by.subject(numbers), strict=True):
                packet.replace(entry, _text(number))
    _turn_panorama(packet, by)
    _swap(packet, "exif", "FocalPlaneXResolution", "FocalPlaneYResolution", by)


def resize(packet: Packet, width: int, height: int, scale: tuple[float, float]) -> None:
    """Set the sizes of the image and scale everything that is measured in its pixels.

    Args:
        packet: The packet of the upright image.
        width: The new width.
        height: The new height.
        scale: New size divided by old size, across and down.
    """
    for prefix, name, side in (
        ("tiff", "ImageWidth", width),
        ("tiff", "ImageLength", height),
        ("exif", "PixelXDimension", width),
        ("exif", "PixelYDimension", height),
    ):
        for value in packet.values(prefix, name):
            packet.replace(value, str(side))
    if scale == (1, 1):
        return
    _scale_properties(packet, scale)
    for frame, area in _FRAMES:
        for fields in packet.groups(frame):
            if _unit(fields, "unit") in _PIXELS:
                _scale_fields(packet, fields, (("w",), ("h",)), scale)
        for fields in packet.groups(area):
            if _unit(fields, "unit") == "pixel":
                _scale_fields(packet, fields, (("x", "w", "d"), ("y", "h")), scale)
    for fields in packet.groups("Iptc4xmpExt"):
        if _boundary_unit(packet, fields) == "pixel":
            _scale_fields(packet, fields, (("rbX", "rbW", "rbRx"), ("rbY", "rbH")), scale)
    for sequence in _subjects(packet):
        for entry, factor in zip(sequence, (*scale, *scale), strict=False):
            _multiply(packet, entry, factor)


def _scale_properties(packet: Packet, scale: tuple[float, float]) -> None:
    for prefix, *names in _SCALED:
        for name, factor in zip(names, scale, strict=False):
            for value in packet.values(prefix, name):
                _multiply(packet, value, factor)


def _subjects(packet: Packet) -> Iterator[list[Element]]:
    """The entries of each sequence of coordinates of the main subject."""
    for name in _SUBJECTS:
        for value in packet.values("exif", name):
            if isinstance(value, Element):
                found = [each for each in packet.elements if each.name == (RDF, "li") and _is_inside(each, value)]
                yield found


def _is_inside(element: Element, around: Element) -> bool:
    return around.start < element.start < around.end


def _is_upright(packet: Packet, prefix: str, by: Turn) -> bool:
    """Whether regions already refer to the upright image: their frame has its shape, not that of the stored one."""
    for fields in packet.groups(prefix):
        sides = _numbers([fields[name].text for name in ("w", "h") if name in fields])
        if len(sides) == 2 and by.swaps:
            return (sides[0] - sides[1]) * (by.width - by.height) < 0
    return False


def _turn_areas(packet: Packet, prefix: str, by: Turn) -> None:
    """Turn areas given by their centres and sizes."""
    for fields in packet.groups(prefix):
        numbers = _numbers([fields[name].text for name in ("x", "y") if name in fields])
        if len(numbers) != 2:
            continue
        frame = (by.width, by.height) if _unit(fields, "unit") == "pixel" else (1, 1)
        for name, number in zip(("x", "y"), by.point(numbers, frame), strict=True):
            packet.replace(fields[name], _text(number))
        if by.swaps:
            _exchange(packet, fields, "w", "h")


def _unit(fields: dict[str, Value], name: str) -> str:
    """The unit that a structure states; "" if it states none."""
    return fields[name].text.strip().lower() if name in fields else ""


def _boundary_unit(packet: Packet, fields: dict[str, Value]) -> str:
    """The unit of a boundary of IPTC's image regions; a vertex has that of the boundary around it."""
    if "rbX" not in fields or "rbUnit" in fields:
        return _unit(fields, "rbUnit")
    start = fields["rbX"].start
    units = [value for value in packet.values("Iptc4xmpExt", "rbUnit") if _is_within(start, value)]
    return units[-1].text.strip().lower() if units else ""


def _is_within(place: int, unit: Value) -> bool:
    """Whether a byte lies in the structure that has a unit, or in the property that holds the structure."""
    around = unit.owner
    return around is not None and around.start < place < around.end


def _turn_boundary(packet: Packet, fields: dict[str, Value], by: Turn) -> None:
    """Turn one boundary of IPTC's image regions: a rectangle by its corner, a circle or a vertex by its centre."""
    numbers = _numbers([fields[name].text for name in ("rbX", "rbY") if name in fields])
    if len(numbers) != 2:
        return
    frame = (by.width, by.height) if _boundary_unit(packet, fields) == "pixel" else (1, 1)
    sides = _numbers([fields[name].text for name in ("rbW", "rbH") if name in fields])
    if len(sides) == 2:
        turned = by.rectangle([*numbers, *sides], frame)
        for name, number in zip(("rbX", "rbY", "rbW", "rbH"), turned, strict=True):
            packet.replace(fields[name], _text(number))
    else:
        for name, number in zip(("rbX", "rbY"), by.point(numbers, frame), strict=True):
            packet.replace(fields[name], _text(number))


def _turn_panorama(packet: Packet, by: Turn) -> None:
    names = [name for pair in _SCALED[:3] for name in pair[1:]]
    for fields in packet.groups("GPano"):
        numbers = _numbers([fields[name].text for name in names if name in fields])
        if len(numbers) != len(names):
            continue
        width, height, full_width, full_height, left, top = numbers
        left, top, width, height = by.rectangle((left, top, width, height), (full_width, full_height))
        if by.swaps:
            full_width, full_height = full_height, full_width
        for name, number in zip(names, (width, height, full_width, full_height, left, top), strict=True):
            packet.replace(fields[name], str(round(number)))


def _swap(packet: Packet, prefix: str, across: str, down: str, by: Turn) -> None:
    if by.swaps:
        for fields in packet.groups(prefix):
            _exchange(packet, fields, across, down)


def _exchange(packet: Packet, fields: dict[str, Value], one: str, other: str) -> None:
    if one in fields and other in fields:
        packet.replace(fields[one], fields[other].text)
        packet.replace(fields[other], fields[one].text)


def _scale_fields(
    packet: Packet, fields: dict[str, Value], names: tuple[tuple[str, ...], ...], scale: tuple[float, float]
) -> None:
    for group, factor in zip(names, scale, strict=True):
        for name in group:
            if name in fields:
                _multiply(packet, fields[name], factor)


def _multiply(packet: Packet, value: Value, factor: float) -> None:
    """Multiply a number: whole numbers stay whole, and a fraction keeps its denominator."""
    text = value.text.strip()
    above, slash, below = text.partition("/")
    numbers = _numbers([above])
    if not numbers:
        return
    number = numbers[0] * factor
    whole = slash or above.lstrip("+-").isdigit()
    packet.replace(value, (str(math.floor(number + 0.5)) if whole else _text(number)) + slash + below)


def _numbers(texts: list[str]) -> list[float]:
    """The finite numbers among the texts."""
    found = []
    for text in texts:
        try:
            number = float(text)
        except ValueError:
            continue
        if math.isfinite(number):
            found.append(number)
    return found


def _text(number: float) -> str:
    """A number with at most six places."""
    return f"{number:.6f}".rstrip("0").rstrip(".")
