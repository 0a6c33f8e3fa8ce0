"""What a JPEG file holds besides its image: metadata from its segments, and an item for everything that it finds.

The names of segments follow https://exiftool.org/TagNames/JPEG.html.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import gain_map, jpeg_behind, jpeg_resources, xmp_segments
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo.jpeg_segments import COMMENT, Segment, Structure, packed, structure
from hyperacuity.image import Item

EXIF, ICC = b"Exif\0\0", b"ICC_PROFILE\0"
_TIFF_MARKS = (b"II*\0", b"MM\0*")

# Segments that say how the file is built, or that every file has: marker and first bytes.
_STRUCTURE = (
    (0xE0, b"JFIF\0"),
    (0xE8, b"SPIFF\0"),
    (0xED, b"Adobe_CM"),
    (0xEE, b"Adobe"),
)
# Segments that stay true for an image of any size.
_LASTING = {
    (0xE5, b"ssuniqueid\0"): "Samsung's unique number",
    (0xE6, b"GoPro\0"): "GoPro's metadata",
    (0xE9, b"Media Jukebox\0"): "Media Jukebox's metadata",
    (0xEA, b"UNICODE\0"): "PhotoStudio comment",
    (0xEC, b"Ducky"): "comment and copyright of Photoshop's export for the web",
}
# Segments that measure the image in its old pixels, or that hold data beside each of them.
_NAMES = {
    (0xE0, b"JFXX\0"): "JFIF extension",
    (0xE1, b"FLIR\0"): "thermal data (FLIR)",
    (0xE2, b"FPXR\0"): "FlashPix data",
    (0xE3, b"_JPSJPS_"): "stereo information (JPS)",
    (0xE3, b"Stim\0"): "stereo information",
    (0xE3, b"Meta\0\0"): "Kodak's metadata",
    (0xE3, b"META\0\0"): "Kodak's metadata",
    (0xE4, b"SCALADO\0"): "Scalado's metadata",
    (0xE5, b"RMETA\0"): "Ricoh's metadata",
    (0xE6, b"EPPIM\0"): "Epson's print image matching",
    (0xE6, b"TDHD"): "Hewlett-Packard's metadata",
    (0xE6, b"NITF"): "NITF header",
    (0xE6, b"DTAT\0"): "DJI's thermal analysis",
    (0xE7, b"PENTAX \0"): "Pentax's metadata",
    (0xE7, b"HUAWEI\0"): "Huawei's metadata",
    (0xE7, b"DJI-DBG\0"): "DJI's debugging data",
    (0xE7, b"\x1aQualcomm"): "Qualcomm's camera data",
    (0xEB, b"HDR_RI"): "JPEG-HDR ratio image",
}
# Words in Apple's names of images that accompany the main one, and what these show.
_AUXILIARY = {
    b"aux:depth": "depth map",
    b"aux:disparity": "depth map",
    b"matte": "matte of a portrait",
    b"depthmap": "depth map",
}


@dataclass
class JpegParts:
    """Everything besides the image; `gain` is where the gain map starts and ends, the rest as in `Metadata`."""

    structure: Structure
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    density_ratio: tuple[int, int] | None = None
    native: bytes = b""
    gain: tuple[int, int] | None = None
    announcement: bytes = b""
    trailer: bytes | None = None
    items: list[Item] = field(default_factory=list)


def parts_of(raw: Bytes) -> JpegParts:
    """Read everything besides the image of a JPEG file."""
    found = JpegParts(structure(raw))
    segments = found.structure.segments
    _add_profile(found, [each.data for each in segments if each.marker == 0xE2 and each.data.startswith(ICC)])
    if found.structure.channels == 4:
        _name_inks(found)
    _add_exif(found, [each.data[6:] for each in segments if each.marker == 0xE1 and each.data.startswith(EXIF)])
    xmp = xmp_segments.found_in(segments)
    found.xmp = xmp.packet
    found.items += xmp.items
    prefix = jpeg_resources.PREFIX
    block = b"".join(
        each.data[len(prefix) :] for each in segments if each.marker == 0xED and each.data.startswith(prefix)
    )
    resources = jpeg_resources.found_in(block, turned=_is_turned(found.exif))
    found.iptc, found.native = resources.iptc, resources.segments
    found.items += resources.items
    index = None
    for each in segments:
        if each.marker == 0xE2 and each.data.startswith(jpeg_behind.MPF):
            index = index or each
            found.items.append(Item("structure MPF", "index of images (MPF)"))
        elif each.data.startswith(gain_map.ISO):
            found.announcement += packed(each.marker, each.data)
        else:
            _add_segment(found, each)
    _add_parts_behind(found, raw, jpeg_behind.parts(raw, found.structure.end, index))
    return found


def _add_profile(found: JpegParts, chunks: list[bytes]) -> None:
    """Put the chunks of the colour profile together, in any order."""
    if not chunks:
        return
    numbered = {data[12]: data[14:] for data in chunks if len(data) > 14}
    count = max((data[13] for data in chunks if len(data) > 14), default=0)
    if sorted(numbered) != list(range(1, count + 1)):
        found.items.append(Item("APP2 incomplete ICC", "ICC profile, of which a part is missing"))
        return
    found.icc = b"".join(numbered[number] for number in sorted(numbered))
    found.items.append(Item("APP2 ICC", "ICC", "icc"))


def _name_inks(found: JpegParts) -> None:
    """Name CMYK, which becomes sRGB, and its profile."""
    found.items = [replace(item, label="CMYK profile", carrier=None) for item in found.items]
    found.items.insert(0, Item("colours CMYK", "CMYK colours (converted to sRGB)"))
    found.icc = None


def _add_exif(found: JpegParts, blocks: list[bytes]) -> None:
    """Take the first block, with the segments that continue it; a second block is only named."""
    if not blocks:
        return
    found.exif = blocks[0]
    for block in blocks[1:]:
        if block[:4] in _TIFF_MARKS:
            found.items.append(Item("APP1 second Exif", "second EXIF block"))
            break
        found.exif += block
    found.items.append(Item("APP1 Exif", "EXIF", "exif"))


def _is_turned(exif: bytes | None) -> bool:
    try:
        return exif is not None and meta.orientation(exif) not in (None, 1)
    except DamagedFile:
        return False


def _add_segment(found: JpegParts, segment: Segment) -> None:
    """List a segment, and keep it if it stays true for a larger image."""
    marker, data = segment.marker, segment.data
    if xmp_segments.is_packet(segment) or xmp_segments.is_extension(segment) or _is_read(segment):
        return
    if any(marker == each and data.startswith(start) for each, start in _STRUCTURE) or _states_only_quality(segment):
        if data.startswith(b"JFIF\0") and len(data) >= 12:
            _add_density(found, data)
        return
    name = f"APP{marker - 0xE0}"
    lasting = next((label for key, label in _LASTING.items() if marker == key[0] and data.startswith(key[1])), None)
    if marker == COMMENT or lasting:
        found.native += packed(marker, data)
        label = lasting or "JPEG comment"
        found.items.append(Item(f"{name if lasting else 'COM'} {label}", label, "native"))
    elif marker == 0xEB and data.startswith(b"JP"):
        credentials = b"c2pa" in data or any("C2PA" in item.label for item in found.items)
        label = "Content Credentials (C2PA)" if credentials else "JUMBF or JPEG XT data"
        found.items.append(Item(f"{name} {label}", label))
    elif any(data.strip(b"\0 \r\n")):
        known = (label for key, label in _NAMES.items() if marker == key[0] and data.startswith(key[1]))
        title = _title(data)
        label = next(known, f"{name} segment {title!r}" if title else f"{name} segment without a name")
        key = "thumbnail JFXX" if data.startswith(b"JFXX\0") else f"{name} {label}"
        found.items.append(Item(key, label))


def _is_read(segment: Segment) -> bool:
    """Whether another function reads a segment."""
    starts = {0xE1: EXIF, 0xE2: ICC, 0xED: jpeg_resources.PREFIX}
    return segment.marker in starts and segment.data.startswith(starts[segment.marker])


def _states_only_quality(segment: Segment) -> bool:
    """Whether a segment holds nothing but the quality that the file was encoded with."""
    if segment.marker == 0xEC and segment.data.startswith(b"Ducky"):
        return len(segment.data) <= 15  # tag, length and number of the quality, and the end
    return segment.marker == 0xEF and segment.data.startswith(b"Q ")


def _title(data: bytes) -> str:
    """The word that a segment starts with."""
    word = data[:32].split(b"\0", 1)[0]
    text = word.decode("ascii", "replace")
    return text if text.isprintable() and len(text) > 1 else ""


def _add_density(found: JpegParts, data: bytes) -> None:
    """Read pixels per inch, or the shape of pixels, from the JFIF segment."""
    unit, across, down = struct.unpack(">BHH", data[7:12])
    if unit in (1, 2) and across and down:
        factor = 2.54 if unit == 2 else 1.0
        found.dpi = across * factor, down * factor
    elif unit == 0 and across and down and (across, down) != (1, 1):
        found.density_ratio = across, down
    if found.density_ratio and across != down:
        found.items.append(Item("APP0 JFIF aspect ratio", "shape of pixels that are not square", "density_ratio"))


def _add_parts_behind(found: JpegParts, raw: Bytes, parts: list[jpeg_behind.Part]) -> None:
    """List what lies behind the image: a gain map is read, and videos and archives are kept with all behind them."""
    start = None
    for part in parts:
        if start is not None:
            found.items.append(Item(part.item.key, part.item.label, "trailer"))
            continue
        if part.item.carrier == "trailer":
            start = part.start
            found.items.append(part.item)
            continue
        inner = structure(raw, part.start).segments if part.is_image else []
        label = gain_map.label_of(inner)
        if label and found.gain is None:
            found.gain = part.start, part.end
            found.items.append(Item("gain map", label, "gain_map"))
        elif kind := _auxiliary_kind(inner):
            found.items.append(Item(f"{kind} behind the image", kind))
        else:
            found.items.append(part.item)
    if start is not None:
        found.trailer = bytes(raw[start:])
    if found.announcement and found.gain is None:
        found.items.append(Item("APP2 ISO 21496-1", "announcement of a gain map that is missing"))


def _auxiliary_kind(segments: list[Segment]) -> str:
    """What an image beside the main one shows, by Apple's name for it in its XMP; "" if it is not stated."""
    name = (xmp_segments.main_packet(segments) or b"").lower()
    return next((kind for word, kind in _AUXILIARY.items() if word in name), "")
