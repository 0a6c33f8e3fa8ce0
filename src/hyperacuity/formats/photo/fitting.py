"""How an image is fitted to a format: the header as stored, the metadata that fit, and what is lost.

Everything here follows from the `Capacity` of the format; no format is named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile
from hyperacuity.formats import inventory
from hyperacuity.formats.photo import metadata as meta
from hyperacuity.formats.photo import xmp_container, xmp_extended, xmp_measures
from hyperacuity.formats.photo.stated_colour import expressed
from hyperacuity.formats.photo.xmp import Packet
from hyperacuity.formats.photo.xmp_origin import with_origin
from hyperacuity.formats.protocol import Capacity
from hyperacuity.image import Header, Metadata

_BLOCKS = {"exif": "EXIF block", "xmp": "XMP packet"}


def stored_header(holds: Capacity, header: Header) -> Header:
    """Return the header as the file will hold it: its type, levels, and alpha."""
    depth = holds.depth(header.dtype)
    dtype: np.dtype[Any] = np.dtype(np.uint8 if depth == 8 else np.uint16 if depth <= 16 else np.float32)
    levels: tuple[float, float] = (0, 1) if dtype.kind == "f" else (0, int(np.iinfo(dtype).max))
    if holds.levels and dtype == header.dtype and header.levels[0] == 0:
        levels = header.levels
    alpha = header.alpha and holds.alpha
    channels = header.colours + alpha
    return replace(header, dtype=dtype, levels=levels, alpha=alpha, channels=channels, metadata=Metadata())


def lost_pixels(holds: Capacity, header: Header, *, same_format: bool) -> list[str]:
    """Return one sentence for each property of the pixels, and for the duration, that the format cannot hold.

    Args:
        holds: What the format can hold.
        header: The image's header.
        same_format: Whether the image comes from a file of this format.
    """
    losses = []
    depth = holds.depth(header.dtype)
    stored = stored_header(holds, header)
    narrower = stored.dtype.itemsize < header.dtype.itemsize
    if narrower and header.dtype.kind == "f":
        losses.append(f"{holds.name} holds {depth} bits: the floats were rounded, and those below 0 or above 1 clipped")
    elif narrower or (8 < depth < 16 and header.dtype == np.uint16 and header.levels == (0, 65535)):
        losses.append(f"{holds.name} holds {depth} bits: the 16-bit values were rounded")
    if holds.palette is not None and not same_format:
        losses.append(f"{holds.name} holds {holds.palette} colours, and pixels are either opaque or invisible")
    return losses


def lost_metadata(holds: Capacity, header: Header) -> list[str]:
    """Return one sentence for the metadata, and one for the duration, that the format cannot hold."""
    metadata, losses = expressed(holds, header.metadata, grey=header.colours == 1 and holds.grey)
    lost = inventory.loss(holds, metadata)
    losses += [lost] if lost else []
    if header.duration is not None and not holds.animated:
        losses.append(f"{holds.name} holds no durations: how long a frame is shown is lost")
    return losses


def fitting_metadata(holds: Capacity, metadata: Metadata, header: Header) -> tuple[Metadata, list[str]]:
    """Return the metadata that the format keeps, adjusted to the written size, and a message for each part left out.

    Args:
        holds: What the format can hold.
        metadata: The source's.
        header: The header of the image that is written.
    """
    losses = []
    metadata, _ = expressed(holds, metadata, grey=header.colours == 1 and holds.grey)
    size = metadata.size or (header.width, header.height)
    scale = header.width / size[0], header.height / size[1]
    kept = inventory.held(holds, metadata)
    exif, xmp, icc = kept.exif, kept.xmp, kept.icc
    if exif:
        try:
            exif = meta.sized(exif, header.width, header.height, scale)
        except DamagedFile as error:
            losses.append(f"the EXIF block is damaged and is left out: {error}")
            exif = None
    if exif is None and metadata.dpi is not None and "exif" in holds.metadata and "dpi" not in holds.metadata:
        exif = meta.exif_with_dpi(*metadata.dpi)
    if xmp:
        xmp = _fitting_packet(xmp, kept, header, scale)
    if metadata.origin is not None and "xmp" in holds.metadata:
        xmp = with_origin(xmp, metadata.origin)
    blocks = {"exif": exif, "xmp": xmp}
    for kind, block in blocks.items():
        if block and not _has_room(holds, kind, block):
            limit = -(-holds.metadata[kind] // 1024)
            losses.append(f"the {_BLOCKS[kind]} is longer than the {limit} KiB that {holds.name} holds; it is left out")
            blocks[kind] = None
    # libvips leaves such profiles out without a warning.
    if icc and not meta.profile_fits(icc, header.colours if holds.grey else 3):
        losses.append(meta.MISFIT)
        icc = None
    return replace(kept, icc=icc, exif=blocks["exif"], xmp=blocks["xmp"]), losses


def _fitting_packet(xmp: bytes, kept: Metadata, header: Header, scale: tuple[float, float]) -> bytes:
    """The packet with the new sizes, without what announces parts that the file will not hold."""
    try:
        packet = Packet(xmp)
    except DamagedFile:
        return xmp  # its reader has warned of it
    xmp_measures.resize(packet, header.width, header.height, scale)
    xmp_container.remove_missing(packet, gain_map=kept.gain_map is not None, video=kept.trailer is not None)
    return packet.result()


def _has_room(holds: Capacity, kind: str, block: bytes) -> bool:
    """Whether the format holds a block of this length."""
    limit = holds.metadata[kind]
    if len(block) <= limit:
        return True
    return kind == "xmp" and holds.extended_xmp and xmp_extended.split(block, limit) is not None
