"""The gain map of an HDR photo in a JPEG file: read, enlarged with the image, and written behind it.

Google's Ultra HDR 1.1, ISO 21496-1, Apple's HDR gain map. What states how to apply it does not depend on sizes.
"""

from __future__ import annotations

from typing import Any

from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo import vips, xmp_segments
from hyperacuity.formats.photo.jpeg_segments import Segment, packed, structure
from hyperacuity.image import GainMap

ISO = b"urn:iso:std:iso:ts:21496:-1\0"
_APPLE = b"urn:com:apple:photo:2020:aux:hdrgainmap"
_GOOGLE = b"http://ns.adobe.com/hdr-gain-map/1.0/"
_LONGEST_SIDE = 65500


def label_of(segments: list[Segment]) -> str | None:
    """Return the name of the gain map in messages, given the segments of an image; None if it is another image."""
    if any(each.data.startswith(ISO) for each in segments):
        return "gain map (Ultra HDR)"
    packet = xmp_segments.main_packet(segments) or b""
    return "gain map (Ultra HDR)" if _GOOGLE in packet else "gain map (Apple HDR)" if _APPLE in packet else None


def decoded(raw: Bytes, start: int, end: int, announcement: bytes) -> GainMap:
    """Decode a gain map.

    Args:
        raw: The file.
        start: Where the image of the gain map starts.
        end: Where it ends.
        announcement: Segments of the main image that announce it.
    """
    data = bytes(raw[start:end])
    pixels, _ = vips.pixels_of(vips.loaded("jpegload_source", data, fail_on="error"))
    own = [each for each in structure(data).segments if _describes_it(each)]
    return GainMap(pixels, b"".join(packed(each.marker, each.data) for each in own), announcement)


def encoded(gain_map: GainMap, scale: tuple[float, float], quality: int) -> bytes:
    """Return a gain map as a JPEG file, enlarged by a scale across and down."""
    import pyvips

    height, width, channels = gain_map.pixels.shape
    image: Any = pyvips.Image.new_from_memory(gain_map.pixels.tobytes(), width, height, channels, "uchar")
    image = image.copy(interpretation="b-w" if channels == 1 else "srgb")
    new = [
        min(max(round(side * factor), 1), _LONGEST_SIDE) for side, factor in zip((width, height), scale, strict=True)
    ]
    if new != [width, height]:
        image = image.resize(new[0] / width, vscale=new[1] / height, kernel="linear")
    data: bytes = image.jpegsave_buffer(Q=quality, subsample_mode="off", keep="none")
    return b"\xff\xd8" + gain_map.segments + data[2:]


def _describes_it(segment: Segment) -> bool:
    """Whether a segment of the gain map's image says how to apply it: XMP, ISO 21496-1, a profile."""
    return xmp_segments.is_packet(segment) or segment.data.startswith((ISO, b"ICC_PROFILE\0"))
