"""BMP whose channels are bits at stated places (BI_BITFIELDS, BI_ALPHABITFIELDS): those that Pillow does not decode."""

from __future__ import annotations

import struct

import numpy as np

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.image import Array

# The compression in the header; the second has a mask of alpha behind the three of colours.
_BITFIELDS, _ALPHABITFIELDS = 3, 6
# The length of the first header that has a mask of alpha itself.
_V3 = 56


def masks_in(raw: Bytes) -> list[int] | None:
    """Return the masks of red, green, blue and, if there is one, alpha; None for a file that states none.

    Raises:
        DamagedFile: If the masks are not those of three channels next to each other.
        UnsupportedFormat: If the file announces too many pixels.
    """
    if len(raw) < 66:
        return None
    length, width, height, _, bits, compression = struct.unpack("<IiiHHI", raw[14:34])
    if length < 40 or compression not in (_BITFIELDS, _ALPHABITFIELDS) or bits not in (16, 32):
        return None
    check_size(width, abs(height))
    # They are a part of all headers but the first, which they follow, at the same byte.
    count = 4 if length >= _V3 or compression == _ALPHABITFIELDS else 3
    masks = list(struct.unpack(f"<{count}I", raw[54 : 54 + 4 * count].ljust(4 * count, b"\0")))
    for mask in masks:
        ones = mask >> _lowest(mask)
        if ones & (ones + 1) or mask >> bits:
            raise DamagedFile("its masks of channels are not connected bits")
    if not all(masks[:3]):
        raise DamagedFile("it states no bits for one of its colours")
    return masks if masks[3:] != [0] else masks[:3]


def decoded(raw: Bytes, masks: list[int]) -> Array:
    """Return the pixels, (H, W, 3 or 4): with 8 bits, or with 16 if a channel has more than 8.

    Raises:
        DamagedFile: If rows are missing.
    """
    (start,) = struct.unpack("<I", raw[10:14])
    width, height, _, bits = struct.unpack("<iiHH", raw[18:30])
    stride = (width * bits + 31) // 32 * 4
    content = bytes(raw[start : start + stride * abs(height)])
    if len(content) < stride * abs(height):
        raise DamagedFile(f"it is cut short: {len(raw)} of {start + stride * abs(height)} bytes are there")
    words = np.frombuffer(content, "<u2" if bits == 16 else "<u4").reshape(abs(height), -1)[:, :width]
    deep = any((mask >> _lowest(mask)) > 255 for mask in masks)
    dtype, white = (np.uint16, 65535) if deep else (np.uint8, 255)
    channels = []
    for mask in masks:
        most = mask >> _lowest(mask)
        values = (words & mask).astype(np.uint64) >> np.uint64(_lowest(mask))
        channels.append(((values * white * 2 + most) // (2 * most)).astype(dtype))
    pixels = np.stack(channels, axis=2)
    return pixels[::-1].copy() if height > 0 else pixels


def _lowest(mask: int) -> int:
    """The number of the lowest bit that is set; 0 if none is."""
    return (mask & -mask).bit_length() - 1 if mask else 0
