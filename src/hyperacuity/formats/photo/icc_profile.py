"""ICC profiles made from stated colour, for formats that have no other place for it. ICC.1:2022 (version 4.4).

Version 4 matrix profiles of about 500 bytes. Those of PQ and HLG also have the `cicp` tag, which readers of HDR use;
other readers get a curve that shows the reference white of 203 cd/m² as white and clips what is brighter.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hyperacuity.formats.photo.stated_colour import HLG, PQ, chromaticities_of, name_of, transfer_of
from hyperacuity.image import StatedColour

_Floats = NDArray[np.float64]
# The white of the profile connection space.
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# Reference white in cd/m², by BT.2408.
_REFERENCE_WHITE = 203
_SAMPLES = 4096


def made_profile(colour: StatedColour, *, grey: bool) -> bytes:
    """Return an ICC profile that says what `colour` says.

    Args:
        colour: Primaries and transfer; what it does not state is that of sRGB.
        grey: Whether it is for images of one channel.
    """
    white, *primaries = chromaticities_of(colour)
    adapted = _adaptation(_xyz(white))
    curve = _curve(colour)
    tags: list[tuple[bytes, bytes]] = [
        (b"desc", _text(name_of(colour))),
        (b"cprt", _text("No copyright")),
        (b"wtpt", _position(_D50)),
    ]
    if grey:
        tags.append((b"kTRC", curve))
    else:
        columns = adapted @ _to_xyz(white, primaries)
        tags.append((b"chad", b"sf32\0\0\0\0" + _fixed(adapted.ravel())))
        tags += [(kind, _position(column)) for kind, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)]
        tags += [(kind, curve) for kind in (b"rTRC", b"gTRC", b"bTRC")]
        if transfer_of(colour) in (PQ, HLG):
            codes = colour.primaries, transfer_of(colour), 0, colour.full_range
            tags.append((b"cicp", b"cicp\0\0\0\0" + bytes(codes)))
    return _profile(b"GRAY" if grey else b"RGB ", tags)


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """Header, table and data, where equal data stand once."""
    table, data, places = b"", b"", {}
    start = 128 + 4 + 12 * len(tags)
    for kind, content in tags:
        if content not in places:
            places[content] = start + len(data)
            data += content + b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", kind, places[content], len(content))
    version = 0x04400000 if any(kind == b"cicp" for kind, _ in tags) else 0x04300000
    head = struct.pack(">II4s4s4s4s", start + len(data), 0, struct.pack(">I", version), b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(_D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _text(text: str) -> bytes:
    """A `multiLocalizedUnicodeType` in English."""
    encoded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _fixed(values: _Floats) -> bytes:
    """`s15Fixed16Number`s."""
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _position(xyz: _Floats) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(xyz)


def _xyz(xy: tuple[float, float]) -> _Floats:
    """The colour of these chromaticities with luminance 1."""
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_xyz(white: tuple[float, float], primaries: list[tuple[float, float]]) -> _Floats:
    """The matrix from linear RGB to XYZ."""
    columns = np.array([[x, y, 1 - x - y] for x, y in primaries]).T
    scales: _Floats = np.linalg.solve(columns, _xyz(white))
    return columns * scales


def _adaptation(white: _Floats) -> _Floats:
    """Bradford's matrix from one white to D50."""
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    result: _Floats = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    return result


# Parameters g, a, b, c, d of ICC's function type 3: (a v + b)^g for v >= d, else c v.
_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BT709 = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_SMPTE240 = (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4.0, 0.0912)
_PARAMETERS: dict[int, tuple[float, ...]] = {
    1: _BT709,
    4: (2.2,),
    5: (2.8,),
    6: _BT709,
    7: _SMPTE240,
    8: (1.0,),
    11: _BT709,
    13: _SRGB,
    14: _BT709,
    15: _BT709,
    17: (2.6,),
}


def _curve(colour: StatedColour) -> bytes:
    """The curve from stored to linear values, as a tag."""
    transfer = transfer_of(colour)
    sampled: dict[int, Callable[[_Floats], _Floats]] = {PQ: _pq, HLG: _hlg}
    if transfer in sampled:
        linear = np.clip(sampled[transfer](np.linspace(0, 1, _SAMPLES)), 0, 1)
        values = np.floor(linear * 65535 + 0.5).astype(">u2")
        return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + values.tobytes()
    if transfer == 2 and colour.gamma:
        parameters: tuple[float, ...] = (100000 / colour.gamma,)
    else:
        parameters = _PARAMETERS.get(transfer, _SRGB)
    return b"para\0\0\0\0" + struct.pack(">HH", 3 if len(parameters) == 5 else 0, 0) + _fixed(np.array(parameters))


def _pq(values: _Floats) -> _Floats:
    """Light relative to reference white. Source: SMPTE ST 2084."""
    root = values ** (1 / 78.84375)
    light: _Floats = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return light * (10000 / _REFERENCE_WHITE)


def _hlg(values: _Floats) -> _Floats:
    """Light of a display of 1000 cd/m² relative to reference white. Source: ITU-R BT.2100, table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    light: _Floats = scene**1.2 * (1000 / _REFERENCE_WHITE)
    return light
