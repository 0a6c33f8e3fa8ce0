"""Metadata in a frame's side data: HDR10's mastering display and light levels, and what cannot be written again."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from hyperacuity.formats.video.side_data import read_side_data

if TYPE_CHECKING:
    import av

# FFmpeg's names of side data that is kept (`read_hdr`, `projection`, the display matrix), and of what describes only
# how the old packets were coded.
_KEPT = {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "SPHERICAL", "STEREO3D", "DISPLAYMATRIX"}
_OF_CODING = {"MOTION_VECTORS", "VIDEO_ENC_PARAMS", "VIDEO_HINT", "GOP_TIMECODE"}
# What the others are; all are left out, also those without a line here.
_UNWRITABLE = {
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient light of its viewing environment",
    "A53_CC": "captions inside the frames",
    "AFD": "the active format description",
    "PANSCAN": "pan and scan",
    "ICC_PROFILE": "an ICC profile",
    "S12M_TIMECODE": "time code inside the frames",
    "SEI_UNREGISTERED": "data of its camera or encoder inside the frames",
    "FILM_GRAIN_PARAMS": "parameters of film grain",
    "REGIONS_OF_INTEREST": "regions of interest",
    "DETECTION_BBOXES": "boxes of detected objects",
}
# Messages in which x264 and x265 note their settings.
_SETTINGS = ("dc45e9bde6d948b7962cd820d923eeef", "2ca2de09b51747dbbb55a4fe7fc2fc4e")


@dataclass(frozen=True)
class HdrMetadata:
    """HDR10's static metadata; None for what the video does not specify.

    Attributes:
        primaries: Of the mastering display: (x, y) of red, green, blue and white.
        luminance: Of the mastering display: black and white, in cd/m2.
        light: The brightest pixel, and the mean of the brightest frame, in cd/m2.
    """

    primaries: tuple[tuple[Fraction, Fraction], ...] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    light: tuple[int, int] | None = None


def read_hdr(frame: av.VideoFrame) -> HdrMetadata | None:
    """Returns the HDR10 metadata in a frame's side data; None if there is none."""
    blocks = read_side_data(frame)
    mastering, level = blocks.get("MASTERING_DISPLAY_METADATA"), blocks.get("CONTENT_LIGHT_LEVEL")
    found = HdrMetadata()
    if mastering is not None:
        *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", bytes(mastering))
        each = [Fraction(a, b or 1) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        if has_primaries and has_luminance:
            points = tuple(zip(each[0:8:2], each[1:8:2], strict=True))
            found = replace(found, primaries=points, luminance=(each[8], each[9]))
    if level is not None:
        found = replace(found, light=struct.unpack_from("=2I", bytes(level)))
    return None if found == HdrMetadata() else found


def unwritable_metadata(frame: av.VideoFrame) -> list[str]:
    """Returns the names of metadata in a frame's side data that the result will not have."""
    found: dict[str, None] = {}
    for name, block in read_side_data(frame).items():
        content = bytes(block)
        settings = name == "SEI_UNREGISTERED" and content[:16].hex() in _SETTINGS
        whole = name == "PANSCAN" and not any(content[12:])  # no part is chosen: all offsets are 0
        if name not in _KEPT | _OF_CODING and not settings and not whole:
            found[_UNWRITABLE.get(name, name.lower().replace("_", " "))] = None
    return list(found)


def _x265_parameters(hdr: HdrMetadata) -> list[str]:
    """In units of 0.00002, and of 0.0001 cd/m2."""
    parameters = []
    if hdr.primaries is not None and hdr.luminance is not None:
        red, green, blue, white = ((round(x * 50_000), round(y * 50_000)) for x, y in hdr.primaries)
        least, most = (round(value * 10_000) for value in hdr.luminance)
        points = f"G({green[0]},{green[1]})B({blue[0]},{blue[1]})R({red[0]},{red[1]})WP({white[0]},{white[1]})"
        parameters.append(f"master-display={points}L({most},{least})")
    if hdr.light is not None:
        parameters.append(f"max-cll={hdr.light[0]},{hdr.light[1]}")
    return [*parameters, "hdr10=1"]


def _x264_parameters(hdr: HdrMetadata) -> list[str]:
    names = {"master-display": "mastering-display", "max-cll": "cll"}
    parameters = (parameter.split("=") for parameter in _x265_parameters(hdr))
    return [f"{names[name]}={value}" for name, value in parameters if name in names]


def _svt_av1_parameters(hdr: HdrMetadata) -> list[str]:
    parameters = []
    if hdr.primaries is not None and hdr.luminance is not None:
        red, green, blue, white = (f"({float(x):.5f},{float(y):.5f})" for x, y in hdr.primaries)
        least, most = hdr.luminance
        parameters.append(f"mastering-display=G{green}B{blue}R{red}WP{white}L({float(most):.4f},{float(least):.4f})")
    if hdr.light is not None:
        parameters.append(f"content-light={hdr.light[0]},{hdr.light[1]}")
    return parameters


# The format in which each encoder expects HDR10 metadata, by the name of its option for parameters
# (`Codec.parameters`).
HDR_PARAMETERS: dict[str, Callable[[HdrMetadata], list[str]]] = {
    "x264-params": _x264_parameters,
    "x265-params": _x265_parameters,
    "svtav1-params": _svt_av1_parameters,
}
