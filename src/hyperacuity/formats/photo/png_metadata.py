"""The metadata of a PNG file: every chunk besides the pixels is listed, and those that hold for the result are kept.

Chunks that are measured in pixels are scaled. Of unknown chunks those are copied whose names say that they are safe to
copy; the others may depend on the pixels and are named.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import photoshop
from hyperacuity.formats.photo.png_chunks import (
    COLOUR,
    NAME,
    SIGNATURE,
    SPELLINGS,
    TEXT,
    XMP,
    chunk,
    chunks,
    inflated,
    keyword_of,
    raw_profile,
    raw_profile_chunk,
    xmp_in,
)
from hyperacuity.image import Header, Item, Metadata, Native, StatedColour

# Pixels and how they are stored; each is written anew.
_STRUCTURE = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"iDOT"})
# Chunks that are copied, if necessary adjusted to the result, although their names do not say that it is safe.
_COPIED = {
    b"tIME": "time of the last change",
    b"sBIT": "significant bits",
    b"bKGD": "background colour",
    b"sPLT": "suggested palette",
    b"oFFs": "offset",
    b"sCAL": "physical scale",
    b"pCAL": "calibration of values",
    b"sTER": "stereo layout",
    b"caNv": "canvas",
    b"vpAg": "virtual page",
    b"gIFg": "GIF control block",
    b"gIFx": "GIF application block",
}
# Chunks that do not hold for the result.
_INVALID = {
    b"orNT": "ImageMagick's orientation",
    b"hIST": "palette histogram",
    b"caBX": "C2PA manifest",
    b"dSIG": "digital signature",
}


# The number of the one of Photoshop's resources that holds IPTC.
_IPTC = 0x0404


@dataclass
class _Found:
    """What the chunks read so far hold."""

    items: list[Item] = field(default_factory=list)
    metadata: Metadata = field(default_factory=Metadata)
    colour: StatedColour = field(default_factory=StatedColour)
    native: bytes = b""
    palette: bytes = b""
    damaged_xmp: bool = False
    profile: bytes | None = None

    def list(self, kind: bytes, label: str, carrier: str | None, name: str = "") -> None:
        """List a chunk."""
        self.items.append(Item(f"chunk {kind.decode('latin-1')} {name}".rstrip(), label, carrier))

    def take(self, kind: bytes, label: str, carrier: str, block: bytes) -> None:
        """Take in a block of metadata; another one of the same kind is named."""
        first = getattr(self.metadata, carrier)
        if first is None and block:
            changed: dict[str, Any] = {carrier: block}
            self.metadata = replace(self.metadata, **changed)
            self.list(kind, label, carrier, label)
        elif block and block != first:
            self.list(kind, f"second {label}", None, f"second {label}")


def metadata_in(data: Bytes) -> tuple[Metadata, bool]:
    """Return all metadata except the ICC profile of an iCCP chunk, also those after the pixels.

    Returns:
        The metadata with a list of all items, and whether an XMP packet is damaged.
    """
    found = _Found()
    head = bytes(data[16:29])
    end = 0
    frames = still = False
    for kind, start, end in chunks(data):
        if kind in _STRUCTURE:
            found.palette = bytes(data[start:end]) if kind == b"PLTE" else found.palette
            still |= kind == b"IDAT" and not frames
            frames |= kind == b"fcTL"
            continue
        _add(found, kind, bytes(data[start:end]), head)
    if frames and still:
        found.list(b"IDAT", "image for viewers without animation", None)
    if end + 4 < len(data):
        rest = bytes(data[end + 4 : end + 4 + 4096]).strip(b"\0\r\n")
        key = "trailer" if rest or len(data) > end + 4 + 4096 else "padding"
        found.items.append(Item(key, f"{len(data) - end - 4} bytes behind its end", None))
    metadata = found.metadata
    colour = found.colour if found.colour != StatedColour() else None
    native = Native(NAME, found.native) if found.native else None
    found_metadata = replace(metadata, colour=colour, native=native, items=tuple(found.items))
    return found_metadata, found.damaged_xmp


def _add(found: _Found, kind: bytes, content: bytes, head: bytes) -> None:
    """Take one chunk in."""
    kind = SPELLINGS.get(kind, kind)
    if kind == b"iCCP":
        _list_profile(found, content)
    elif kind == b"eXIf":
        found.take(kind, "EXIF", "exif", meta.unprefixed(content))
    elif kind in TEXT:
        _add_text(found, kind, content)
    elif kind in COLOUR:
        stated = _colour(found.colour, kind, content)
        found.colour = stated or found.colour
        found.list(kind, COLOUR[kind], "colour" if stated else None)
    elif kind == b"pHYs":
        _add_density(found, content)
    elif kind in _INVALID:
        found.list(kind, _INVALID[kind], None)
    elif kind in _COPIED:
        adjusted = _background(content, head, found.palette) if kind == b"bKGD" else content
        found.native += chunk(kind, adjusted) if adjusted else b""
        found.list(kind, _COPIED[kind], "native" if adjusted else None)
    elif kind[3] & 32:
        found.native += chunk(kind, content)
        found.list(kind, f"private chunk {kind.decode('latin-1')}", "native")
    else:
        found.list(kind, f"private chunk {kind.decode('latin-1')}", None)


def _list_profile(found: _Found, content: bytes) -> None:
    """List a profile, which the decoder reads; of several, that is the first."""
    profile = inflated(content.partition(b"\0")[2][1:])
    if found.profile is None:
        found.profile = profile
        found.list(b"iCCP", "ICC profile", "icc")
    elif profile != found.profile:
        found.list(b"iCCP", "second ICC profile", None, "second")


def _add_text(found: _Found, kind: bytes, content: bytes) -> None:
    keyword = keyword_of(content).decode("latin-1")
    profile = raw_profile(kind, content)
    if kind == b"iTXt" and content.startswith(XMP):
        packet = xmp_in(content)
        found.damaged_xmp |= not packet
        found.take(kind, "XMP", "xmp", packet)
    elif profile is None or not _add_profile(found, *profile):
        found.native += chunk(kind, content)
        found.list(kind, f"text {keyword!r}", "native", keyword)


def _add_profile(found: _Found, name: str, profile: bytes) -> bool:
    """Take in a profile in hexadecimal text; False if it is of an unknown type."""
    if name in ("exif", "app1") and meta.unprefixed(profile)[:2] in (b"II", b"MM"):
        found.take(b"zTXt", "EXIF", "exif", meta.unprefixed(profile))
    elif name == "xmp" or (name == "app1" and profile.startswith(b"http://ns.adobe.com/xap/1.0/\0")):
        found.take(b"zTXt", "XMP", "xmp", profile.removeprefix(b"http://ns.adobe.com/xap/1.0/\0"))
    elif name in ("iptc", "8bim") and (iptc := _iptc(profile)):
        found.take(b"zTXt", "IPTC", "iptc", iptc)
        if _holds_more(profile):
            found.list(b"zTXt", "Photoshop's resources", None, "Raw profile type 8bim")
    elif name in ("icc", "icm") and profile[36:40] == b"acsp":
        found.take(b"zTXt", "ICC profile", "icc", profile)
    else:
        return False
    return True


def _resources(profile: bytes) -> list[photoshop.Resource]:
    return list(photoshop.resources(profile.removeprefix(b"Photoshop 3.0\0")))


def _iptc(profile: bytes) -> bytes | None:
    """Records of IPTC-IIM, bare or in one of Photoshop's resources."""
    if profile[:1] == b"\x1c":
        return profile
    return next((each.data for each in _resources(profile) if each.number == _IPTC), None) or None


def _holds_more(profile: bytes) -> bool:
    """Whether Photoshop's resources hold more than IPTC and defaults."""
    return profile[:1] != b"\x1c" and any(
        each.number != _IPTC and not photoshop.is_default(each) for each in _resources(profile)
    )


def _add_density(found: _Found, content: bytes) -> None:
    """Take in pixels per metre, or the shape of a pixel."""
    if len(content) != 9:
        found.list(b"pHYs", "damaged resolution", None)
        return
    across, down, unit = struct.unpack(">IIB", content)
    if unit == 1 and across and down:
        found.metadata = replace(found.metadata, dpi=(across * 0.0254, down * 0.0254))
    elif across and down and (across, down) != (1, 1):
        found.metadata = replace(found.metadata, density_ratio=(across, down))
    if found.metadata.density_ratio and across != down:
        found.list(b"pHYs", "shape of pixels that are not square", "density_ratio")


def _colour(colour: StatedColour, kind: bytes, content: bytes) -> StatedColour | None:
    """The colour with what one chunk adds to it; None if the chunk is damaged."""
    layouts = {b"gAMA": ">I", b"cHRM": ">8I", b"sRGB": ">B", b"cICP": ">4B", b"mDCV": ">8H2I", b"cLLI": ">2I"}
    if len(content) != struct.calcsize(layouts[kind]):
        return None
    values: tuple[int, ...] = struct.unpack(layouts[kind], content)
    if kind == b"gAMA":
        return replace(colour, gamma=values[0]) if values[0] else None
    if kind == b"cHRM":
        return replace(colour, chromaticities=values) if all(values[1::2]) else None
    if kind == b"sRGB":
        return replace(colour, intent=values[0])
    if kind == b"cICP":
        # The third is the matrix, which is always that of RGB in PNG.
        return replace(colour, primaries=values[0], transfer=values[1], full_range=bool(values[3]))
    if kind == b"mDCV":
        return replace(colour, mastering=values)
    return replace(colour, light=(values[0], values[1]))


def _colour_chunks(colour: StatedColour) -> bytes:
    """The chunks that state colour."""
    codes = (colour.primaries, colour.transfer)
    parts: list[tuple[bytes, str, tuple[int, ...] | None]] = [
        (b"cICP", ">4B", (*codes, 0, int(colour.full_range)) if codes != (2, 2) else None),
        (b"mDCV", ">8H2I", colour.mastering),
        (b"cLLI", ">2I", colour.light),
        (b"sRGB", ">B", None if colour.intent is None else (colour.intent,)),
        (b"gAMA", ">I", None if colour.gamma is None else (colour.gamma,)),
        (b"cHRM", ">8I", colour.chromaticities),
    ]
    return b"".join(chunk(kind, struct.pack(layout, *values)) for kind, layout, values in parts if values is not None)


def chunks_of(metadata: Metadata, header: Header) -> bytes:
    """Return all chunks of metadata except the ICC profile's, to insert after IHDR.

    Args:
        metadata: What is kept.
        header: The header of the image as it is written.
    """
    block = _colour_chunks(metadata.colour) if metadata.colour else b""
    uneven = metadata.density_ratio is not None and len(set(metadata.density_ratio)) == 2
    if metadata.dpi and not uneven:  # the chunk holds one of the two, and EXIF may hold the resolution
        # The specification ends at 2^31 - 1, and images of electron microscopes do not.
        per_metre = (min(round(number / 0.0254), 2**32 - 1) for number in metadata.dpi)
        block += chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1))
    elif metadata.density_ratio:
        block += chunk(b"pHYs", struct.pack(">IIB", *metadata.density_ratio, 0))
    block += _adjusted(metadata, header)
    block += chunk(b"eXIf", metadata.exif) if metadata.exif else b""
    block += chunk(b"iTXt", XMP + b"\0\0\0\0" + metadata.xmp) if metadata.xmp else b""
    if metadata.iptc:
        size = len(metadata.iptc)
        resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", size) + metadata.iptc + b"\0" * (size % 2)
        block += raw_profile_chunk("iptc", resource)
    return block


def _adjusted(metadata: Metadata, header: Header) -> bytes:
    """The copied chunks, adjusted to the size, the channels and the depth that are written."""
    if metadata.native is None:
        return b""
    before = metadata.size or (header.width, header.height)
    scale = header.width / before[0], header.height / before[1]
    data = SIGNATURE + metadata.native.data + chunk(b"IEND", b"")
    block = b""
    for kind, start, end in chunks(data):
        content = data[start:end]
        if kind in _SCALED:
            content = _SCALED[kind](content, scale)
        elif kind == b"sBIT":
            content = _significant(content, header)
        elif kind == b"bKGD":
            content = _stored_background(content, header)
        block += chunk(kind, content) if kind != b"IEND" else b""
    return block


def _scaled_offset(content: bytes, scale: tuple[float, float]) -> bytes:
    """An offset in pixels; in micrometres it stays."""
    if len(content) != 9 or content[8]:
        return content
    return struct.pack(
        ">iiB", *(round(n * s) for n, s in zip(struct.unpack(">ii", content[:8]), scale, strict=True)), 0
    )


def _scaled_canvas(content: bytes, scale: tuple[float, float]) -> bytes:
    """Width, height, left and top of the canvas."""
    if len(content) != 16:
        return content
    values = struct.unpack(">IIii", content)
    return struct.pack(">IIii", *(round(n * s) for n, s in zip(values, scale * 2, strict=True)))


def _scaled_page(content: bytes, scale: tuple[float, float]) -> bytes:
    """Width and height of the page, if they are in pixels."""
    if len(content) != 9 or content[8]:
        return content
    return struct.pack(
        ">IIB", *(round(n * s) for n, s in zip(struct.unpack(">II", content[:8]), scale, strict=True)), 0
    )


def _scaled_pixel(content: bytes, scale: tuple[float, float]) -> bytes:
    """Width and height of what a pixel shows, as text."""
    try:
        sizes = [float(word) for word in content[1:].split(b"\0")]
        words = [f"{size / factor:.9g}" for size, factor in zip(sizes, scale, strict=True)]
    except ValueError:
        return content
    return content[:1] + "\0".join(words).encode()


_SCALED: dict[bytes, Callable[[bytes, tuple[float, float]], bytes]] = {
    b"oFFs": _scaled_offset,
    b"caNv": _scaled_canvas,
    b"vpAg": _scaled_page,
    b"sCAL": _scaled_pixel,
}


def _background(content: bytes, head: bytes, palette: bytes) -> bytes:
    """A background colour as RGB of 16 bits; b"" if it is damaged."""
    depth, kind = head[8], head[9]
    if kind == 3:
        rgb = palette[3 * content[0] : 3 * content[0] + 3] if content else b""
        return b"".join(struct.pack(">H", value * 257) for value in rgb) if len(rgb) == 3 else b""
    if len(content) != (6 if kind & 2 else 2):
        return b""
    white = (1 << depth) - 1
    values = [min(value, white) * 65535 // white for (value,) in struct.iter_unpack(">H", content)]
    return struct.pack(">3H", *(values if len(values) == 3 else values * 3))


def _stored_background(content: bytes, header: Header) -> bytes:
    white = int(np.iinfo(header.dtype).max)
    values = [round(value * white / 65535) for (value,) in struct.iter_unpack(">H", content)]
    return struct.pack(f">{header.colours}H", *values[: header.colours])


def _significant(content: bytes, header: Header) -> bytes:
    """Significant bits for the channels that are written."""
    depth = header.dtype.itemsize * 8
    alpha = content[-1] if len(content) in (2, 4) else depth
    colours = list(content[:3] if len(content) >= 3 else content[:1] * 3)[: header.colours]
    bits = [*colours, alpha] if header.alpha else colours
    return bytes(min(max(each, 1), depth) for each in bits)
