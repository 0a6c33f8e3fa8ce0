"""GIF's blocks: what each one is, and the metadata in them. GIF89a (CompuServe, 1990); XMP Part 3, 1.1.2."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from hyperacuity.errors import DamagedFile
from hyperacuity.formats.content import Bytes
from hyperacuity.image import Item, Metadata, Native

# The format's name in messages, and in metadata of its own.
NAME = "GIF"

_IMAGE, _EXTENSION, _END = 0x2C, 0x21, 0x3B
_CONTROL, _COMMENT, _TEXT, _APPLICATION = 0xF9, 0xFE, 0x01, 0xFF
_ICC, _XMP, _C2PA = b"ICCRGBG1012", b"XMP DataXMP", b"C2PA_GIF"
# How often it is played, written anew.
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
# Behind an XMP packet, which is not cut into blocks, so that readers find the end wherever they land.
_MAGIC = b"\1" + bytes(range(255, -1, -1)) + b"\0"


@dataclass(frozen=True)
class GifBlock:
    """An image or an extension of a GIF file.

    Args:
        label: The label of an extension; None for an image.
        start: The byte where it begins.
        content: The byte where its sub-blocks begin.
        end: The byte behind it.
    """

    label: int | None
    start: int
    content: int
    end: int


@dataclass
class _Found:
    """What the blocks read so far hold."""

    icc: bytes | None = None
    xmp: bytes | None = None
    native: bytes = b""
    loops: set[bytes] = field(default_factory=set)
    items: list[Item] = field(default_factory=list)


def palette_size(flags: int) -> int:
    """Return the bytes of the palette that these flags announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def blocks(raw: Bytes) -> Iterator[GifBlock]:
    """Yield the images and extensions of a GIF file, up to its end mark.

    Raises:
        DamagedFile: If the end mark is missing or a block is unknown.
    """
    try:
        at = 13 + palette_size(raw[10])
        while raw[at] != _END:
            start, label = at, None
            if raw[at] == _IMAGE:
                at += 10 + palette_size(raw[at + 9]) + 1
            elif raw[at] == _EXTENSION:
                label = raw[at + 1]
                at += 2
            else:
                raise DamagedFile(f"byte {at} starts an unknown block")
            content = at
            while raw[at]:
                at += raw[at] + 1
            at += 1
            if label == _APPLICATION and raw[content + 1 : content + 12] == _XMP and raw[at : at + 1] == b"\0":
                at += 1  # the packet led the walk to the last but one zero
            yield GifBlock(label, start, content, at)
    except IndexError as error:
        raise DamagedFile("it is cut short: it ends before its end mark") from error


def is_transparent(raw: Bytes, block: GifBlock) -> bool:
    """Return whether a block is a control block that makes a colour transparent."""
    return block.label == _CONTROL and bool(raw[block.content + 1] & 1)


def metadata_in(raw: Bytes) -> Metadata:
    """Return everything that the file says besides its images, with a list of all items."""
    found = _Found()
    end = 13
    for block in blocks(raw):
        end = block.end
        whole = bytes(raw[block.start : block.end])
        if block.label is None or block.label == _CONTROL:
            continue
        if block.label == _COMMENT:
            found.native += whole
            found.items.append(Item("extension comment", "comment", "native"))
        elif block.label == _TEXT:
            found.items.append(Item("extension plain text", "plain text laid over the image"))
        elif block.label == _APPLICATION and raw[block.content] == 11:
            _add_application(found, raw, block)
        else:
            found.items.append(Item(f"extension {block.label}", f"extension {block.label:#04x}"))
    if len(found.loops) > 1:
        found.items.append(Item("extension application second loops", "second number of repetitions"))
    if end + 1 < len(raw):
        found.items.append(Item("trailer", f"{len(raw) - end - 1} bytes behind its end"))
    ratio = None
    if raw[12] and raw[12] != 49:
        ratio = (64, raw[12] + 15)
        found.items.append(Item("pixel aspect ratio", "shape of pixels that are not square", "density_ratio"))
    native = Native(NAME, found.native) if found.native else None
    return Metadata(icc=found.icc, xmp=found.xmp, density_ratio=ratio, native=native, items=tuple(found.items))


def _add_application(found: _Found, raw: Bytes, block: GifBlock) -> None:
    """Take in an application block; a second profile or packet is only named."""
    application = bytes(raw[block.content + 1 : block.content + 12])
    name = application.decode("latin-1").rstrip("\0\1 ")
    key = f"extension application {name}"
    data = _joined(raw, block.content + 12)
    known = {_ICC: found.icc, _XMP: found.xmp}.get(application)
    if known is not None:
        found.items.append(Item(f"{key} again", f"second {'ICC profile' if application == _ICC else 'XMP'}"))
    elif application == _ICC:
        found.icc = data
        found.items.append(Item(key, "ICC profile", "icc"))
    elif application == _XMP:
        found.xmp = _packet(bytes(raw[block.content + 12 : block.end]), data)
        found.items.append(Item(key, "XMP", "xmp"))
    elif application.startswith(_C2PA):
        found.items.append(Item(key, "C2PA manifest"))
    elif application in _LOOPS:
        found.loops.add(data)
    else:
        found.native += bytes(raw[block.start : block.end])
        found.items.append(Item(key, f"application block {name!r}", "native"))


def _joined(raw: Bytes, at: int) -> bytes:
    """The data of sub-blocks without their lengths."""
    data = b""
    while raw[at]:
        data += raw[at + 1 : at + 1 + raw[at]]
        at += raw[at] + 1
    return data


def _packet(block: bytes, cut: bytes) -> bytes:
    """An XMP packet, from before its magic trailer; some programs cut it into sub-blocks against the specification."""
    end = block.rfind(_MAGIC[:20])
    return block[:end] if end >= 0 else cut


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """Return a GIF file with metadata added.

    Args:
        data: The file without them.
        metadata: What to add.
    """
    added = b""
    if metadata.icc:
        added += _application(_ICC) + _cut(metadata.icc)
    if metadata.xmp:
        added += _application(_XMP) + metadata.xmp + _MAGIC
    added += metadata.native.data if metadata.native else b""
    head = bytearray(data[:13])
    across, down = metadata.density_ratio or (1, 1)
    if across != down:
        head[12] = min(max(round(64 * down / across) - 15, 1), 255)
    if added or head[12]:
        head[:6] = b"GIF89a"
    at = 13 + palette_size(data[10])
    first = next(iter(blocks(data)), None)
    if first is not None and first.label == _APPLICATION:
        at = first.end  # readers expect the number of repetitions first
    return bytes(head) + data[13:at] + added + data[at:]


def _application(name: bytes) -> bytes:
    return struct.pack(">BBB", _EXTENSION, _APPLICATION, len(name)) + name


def _cut(data: bytes) -> bytes:
    """Sub-blocks."""
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
