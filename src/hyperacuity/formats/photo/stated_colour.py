"""Colour that files state outside ICC profiles: what it means, and which format can say it how.

Values are never converted: the label goes with them, or its loss is named.
"""

from __future__ import annotations

from dataclasses import replace

from hyperacuity.formats.protocol import Capacity
from hyperacuity.image import Item, Metadata, StatedColour

PQ, HLG = 16, 18
UNKNOWN = 2

_Chromaticity = tuple[float, float]
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_BT601 = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
# White, red, green and blue of H.273's ColourPrimaries.
_PRIMARIES: dict[int, tuple[_Chromaticity, ...]] = {
    1: (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    4: (_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, *_BT601),
    7: (_D65, *_BT601),
    8: (_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: (_DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_PRIMARIES_NAMES = {
    1: "BT.709",
    4: "BT.470 M",
    5: "BT.470 BG",
    6: "BT.601",
    7: "SMPTE 240M",
    8: "film",
    9: "BT.2020",
    10: "XYZ",
    11: "DCI-P3",
    12: "Display P3",
    22: "EBU 3213",
}
_TRANSFER_NAMES = {
    1: "BT.709",
    4: "gamma 2.2",
    5: "gamma 2.8",
    6: "BT.601",
    7: "SMPTE 240M",
    8: "linear",
    9: "logarithmic",
    10: "logarithmic",
    11: "xvYCC",
    13: "sRGB",
    14: "BT.2020",
    15: "BT.2020",
    PQ: "PQ",
    17: "SMPTE 428",
    HLG: "HLG",
}
# Those that a profile of a matrix and a curve can state.
_PROFILED_TRANSFERS = frozenset({1, 2, 4, 5, 6, 7, 8, 11, 13, 14, 15, PQ, 17, HLG})
_SRGB_GAMMA = 45455


def transfer_of(colour: StatedColour) -> int:
    """Return the transfer of H.273: as stated, that of sRGB if nothing is stated, 2 if only `gamma` states it."""
    if colour.transfer != UNKNOWN:
        return colour.transfer
    if colour.intent is not None or colour.gamma is None or _is_gamma_of_srgb(colour):
        return 13
    return UNKNOWN


def chromaticities_of(colour: StatedColour) -> tuple[_Chromaticity, ...]:
    """Return x and y of white, red, green and blue; those of sRGB if nothing is stated."""
    if colour.primaries in _PRIMARIES:
        return _PRIMARIES[colour.primaries]
    if colour.intent is None and colour.chromaticities is not None and colour.primaries == UNKNOWN:
        numbers = [number / 100000 for number in colour.chromaticities]
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return _PRIMARIES[1]


def name_of(colour: StatedColour) -> str:
    """Return a short name for messages and profiles, such as "BT.2020 PQ"."""
    if colour.primaries == 12 and transfer_of(colour) == 13:
        return "Display P3"
    if is_srgb(colour):
        return "sRGB"
    if colour.primaries != UNKNOWN or colour.transfer != UNKNOWN:
        primaries = _PRIMARIES_NAMES.get(colour.primaries, f"primaries {colour.primaries}")
        transfer = _TRANSFER_NAMES.get(transfer_of(colour), f"transfer {colour.transfer}")
        primaries = "BT.709" if colour.primaries == UNKNOWN else primaries
        return primaries if transfer == primaries else f"{primaries} {transfer}"
    gamma = f"gamma {100000 / colour.gamma:.3g}" if colour.gamma and transfer_of(colour) == UNKNOWN else "sRGB curve"
    return f"{gamma}, own primaries" if chromaticities_of(colour) != _PRIMARIES[1] else gamma


def is_srgb(colour: StatedColour) -> bool:
    """Return whether it is what every reader assumes anyway; the usual rounding of gamma and primaries counts as it."""
    near = all(
        abs(one - other) < 0.0015
        for mine, srgb in zip(chromaticities_of(colour), _PRIMARIES[1], strict=True)
        for one, other in zip(mine, srgb, strict=True)
    )
    return near and transfer_of(colour) == 13 and colour.full_range


def _is_gamma_of_srgb(colour: StatedColour) -> bool:
    """Whether gamma is sRGB's, and the primaries are not those of another space, such as Adobe RGB."""
    if colour.gamma is None or abs(colour.gamma - _SRGB_GAMMA) > _SRGB_GAMMA // 100:
        return False
    return colour.chromaticities is None or all(
        abs(number / 100000 - stated) < 0.0015
        for number, stated in zip(colour.chromaticities, (n for pair in _PRIMARIES[1] for n in pair), strict=True)
    )


def codes_of(colour: StatedColour) -> tuple[int, int] | None:
    """Return primaries and transfer of H.273, if codes can state this colour."""
    if colour.primaries != UNKNOWN or colour.transfer != UNKNOWN or colour.intent is not None:
        stated = colour.intent is not None and colour.primaries == colour.transfer == UNKNOWN
        return (1, 13) if stated else (colour.primaries, colour.transfer)
    return None


def has_profile(colour: StatedColour) -> bool:
    """Return whether an ICC profile can state this colour."""
    known = colour.primaries == UNKNOWN or colour.primaries in _PRIMARIES
    transfer = transfer_of(colour) if colour.transfer == UNKNOWN else colour.transfer
    numbers = colour.chromaticities
    if numbers is not None and colour.primaries == UNKNOWN and colour.intent is None:
        known = _is_triangle(chromaticities_of(colour))
    return known and transfer in _PROFILED_TRANSFERS and colour.full_range


def _is_triangle(points: tuple[_Chromaticity, ...]) -> bool:
    """Whether red, green and blue enclose white, as damaged numbers do not."""

    def side(a: _Chromaticity, b: _Chromaticity, c: _Chromaticity) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    white, red, green, blue = points
    sides = side(red, green, white), side(green, blue, white), side(blue, red, white)
    return all(y > 0 for _, y in points) and (min(sides) > 1e-4 or max(sides) < -1e-4)


def expressed(holds: Capacity, metadata: Metadata, *, grey: bool) -> tuple[Metadata, list[str]]:
    """Return the metadata with the colour in the form that a format holds, and a sentence for what that changes.

    A format whose capacity has "colour" holds codes of H.273; with "colour.gamma", numbers for gamma and primaries too;
    with "colour.light", the mastering display and light levels; with "colour.range", the range of RGB values.

    Args:
        holds: What the format can hold.
        metadata: The source's.
        grey: Whether the image is stored as one channel.
    """
    from hyperacuity.formats.photo.icc_profile import made_profile  # it imports this module

    colour = metadata.colour
    if colour is None or "colour.range" in holds.metadata:
        return metadata, []
    if "colour" in holds.metadata and "colour.light" not in holds.metadata:
        colour = replace(colour, mastering=None, light=None)
        unlit = (replace(item, carrier=None) if item.key.endswith(HDR_ITEMS) else item for item in metadata.items)
        metadata = replace(metadata, colour=colour, items=tuple(unlit))
    codes = codes_of(colour)
    if "colour" in holds.metadata and (codes or "colour.gamma" in holds.metadata):
        primaries, transfer = codes or (UNKNOWN, UNKNOWN)
        kept = replace(metadata, colour=replace(colour, primaries=primaries, transfer=transfer, full_range=True))
        return kept, [] if colour.full_range else [f"{holds.name} cannot state that RGB values have the range of video"]
    remaining = replace(StatedColour(), mastering=colour.mastering, light=colour.light)
    items = tuple(item for item in metadata.items if item.carrier != "colour" or item.key.endswith(HDR_ITEMS))
    plain = replace(metadata, colour=remaining if remaining != StatedColour() else None, items=items)
    if metadata.icc is not None and transfer_of(colour) not in (PQ, HLG):
        return plain, []
    if is_srgb(colour):
        return plain, []
    if metadata.icc is None and "icc" in holds.metadata and has_profile(colour):
        made = replace(plain, icc=made_profile(colour, grey=grey))
        losses = []
        if transfer_of(colour) in (PQ, HLG):
            losses = [
                f"{holds.name} states {name_of(colour)} only by the cicp tag of an ICC profile; readers that do not "
                "know it show highlights clipped"
            ]
        return made, losses
    item = Item("colour", f"colour ({name_of(colour)}{'' if colour.full_range else ', video range'})")
    return replace(plain, items=(*items, item)), []


# Ends of the keys of items that describe light, not colour.
HDR_ITEMS = ("mDCV", "cLLI", "mdcv", "clli")
