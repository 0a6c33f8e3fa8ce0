"""What a BMP's header says besides the size: resolution, profile, and numbers of colour. Windows' BITMAPV5HEADER."""

from __future__ import annotations

import struct
from dataclasses import replace

from hyperacuity.formats.content import Bytes
from hyperacuity.image import Item, Metadata, StatedColour

# Where the header of the bitmap begins, behind that of the file.
_START = 14
_V4, _V5 = 108, 124
# Kinds of colour, as they stand in the file.
_CALIBRATED, _LINKED, _EMBEDDED = b"\0\0\0\0", b"KNIL", b"DEBM"


def metadata_in(raw: Bytes) -> Metadata:
    """Return what the header says, with a list of all items."""
    metadata = Metadata()
    items: list[Item] = []
    length = struct.unpack("<I", raw[14:18])[0] if len(raw) >= 18 else 0
    end = 0
    if length >= 40 and len(raw) >= 54:
        across, down = struct.unpack("<ii", raw[38:46])
        if across > 0 and down > 0:
            metadata = replace(metadata, dpi=(across * 0.0254, down * 0.0254))
    if length >= _V4 and len(raw) >= _START + _V4:
        kind = bytes(raw[70:74])
        colour = _calibrated(bytes(raw[74:122])) if kind == _CALIBRATED else None
        if colour:
            metadata = replace(metadata, colour=colour)
            items.append(Item("header endpoints and gamma", "primaries and gamma", "colour"))
        if length >= _V5 and len(raw) >= _START + _V5 and kind in (_LINKED, _EMBEDDED):
            offset, size = struct.unpack("<II", raw[126:134])
            profile = bytes(raw[_START + offset : _START + offset + size])
            end = _START + offset + size
            if kind == _EMBEDDED:
                metadata = replace(metadata, icc=profile or None)
                items.append(Item("profile embedded", "ICC profile", "icc"))
            else:
                name = profile.rstrip(b"\0").decode("cp1252", "replace")
                items.append(Item("profile linked", f"link to the ICC profile '{name}'"))
    end = max(end, _pixels_end(raw, length))
    if end and len(raw) > end:
        rest = bytes(raw[end:])
        label = f"{len(rest)} bytes behind its end"
        items.append(Item("trailer" if rest.strip(b"\0") else "padding", label))
    return replace(metadata, items=tuple(items))


def _pixels_end(raw: Bytes, length: int) -> int:
    """The byte behind the pixels; 0 if it is not known."""
    if length < 40 or len(raw) < 54:
        return 0
    (start,) = struct.unpack("<I", raw[10:14])
    width, height, _, bits, compression, size = struct.unpack("<iiHHII", raw[18:38])
    if compression in (1, 2):
        return int(start + size)
    return int(start + (abs(width) * bits + 31) // 32 * 4 * abs(height))


def _calibrated(content: bytes) -> StatedColour | None:
    """Primaries as XYZ in 30 fractional bits, and gammas in 16; None if they are not filled in, which is usual."""
    numbers = struct.unpack("<9i3I", content)
    ends = [[number / 2**30 for number in numbers[at : at + 3]] for at in (0, 3, 6)]
    gamma = numbers[10] / 65536
    if not gamma or any(sum(end) <= 0 or min(end) < 0 for end in ends):
        return None
    white = [sum(column) for column in zip(*ends, strict=True)]
    pairs = [value for end in (white, *ends) for value in (end[0] / sum(end), end[1] / sum(end))]
    if not all(pairs[1::2]):
        return None
    return StatedColour(gamma=round(100000 / gamma), chromaticities=tuple(round(value * 100000) for value in pairs))
