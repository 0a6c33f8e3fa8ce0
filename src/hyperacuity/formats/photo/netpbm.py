"""PBM, PGM, PPM, PAM and PFM: a text header, then plain numbers. Read and written with numpy, levels kept.

libvips' wheel has no loader for them, and Pillow stretches every maximum to 255 or 65535.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.formats.content import Bytes, Content
from hyperacuity.formats.photo.encoder import EncoderInput
from hyperacuity.formats.photo.limits import check_size
from hyperacuity.formats.photo.sink import PhotoSink
from hyperacuity.formats.photo.source import Contents, PhotoSource, open_source
from hyperacuity.formats.protocol import UNLIMITED, Capacity, Source
from hyperacuity.image import Array, Header, Image, Item, Metadata, Native

HOLDS = Capacity(name="PNM", depths=(8, 16), levels=True, metadata={"native": UNLIMITED})

# Capacities of the endings that differ from the default.
_HOLDS = {
    ".pgm": replace(HOLDS, name="PGM", channels=(1,), coloured=".ppm or .pnm"),
    ".pfm": replace(HOLDS, name="PFM", depths=(32,), levels=False, metadata={}),
}
# The endings that fit the kinds; PAM is not written.
_SUFFIXES = {b"P3": ".ppm", b"P6": ".ppm", b"P7": ".png", b"Pf": ".pfm", b"PF": ".pfm"}


def read(content: Content) -> PhotoSource:
    """Open a file of the Netpbm family."""
    return open_source(content, _SUFFIXES.get(content.head[:2], ".pgm"), _contents)


def inventory(content: Content) -> tuple[Item, ...]:
    """List what the file holds besides its pixels."""
    raw = content.whole()
    head, start, magic = _parse(raw)
    return _metadata(raw, head, start, magic).items


def write(path: Path, like: Source | None, *, quality: int | None = None) -> PhotoSink:
    """Return a sink for a PGM, PPM or PFM file, as its ending states.

    The arguments and errors are those of `formats.protocol.Format.write`.
    """
    return PhotoSink(path, like, quality, _HOLDS.get(path.suffix.lower(), HOLDS), _encode)


def _contents(raw: Bytes) -> Contents:
    head, start, magic = _parse(raw)
    check_size(head.width, head.height)
    head = replace(head, metadata=_metadata(raw, head, start, magic))

    def decode() -> Iterator[Image]:
        yield Image(head, _pixels(raw, head, start, magic))

    return Contents(1, None, True, decode)


# White space and comments between the words of the header.
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\n]*\n)+"
_PLAIN = re.compile(rb"(P[1-6]|P[fF])" + _GAP + rb"(\S+)" + _GAP + rb"(\S+)")
_MORE = re.compile(_GAP + rb"(\S+)")
_PAM = re.compile(rb"P7\s(.*?)ENDHDR\n", re.DOTALL)


def _parse(raw: Bytes) -> tuple[Header, int, bytes]:
    """The header, the byte where the pixels start, and the magic number."""
    head = raw[:65536]
    if head[:2] == b"P7":
        return _pam(head)
    found = _PLAIN.match(head)
    if not found:
        raise DamagedFile("its header is not that of a Netpbm file")
    magic, end = found[1], found.end()
    width, height = _number(found[2]), _number(found[3])
    if magic in (b"P1", b"P4"):
        # Viewers show it as black and white.
        return Header(height, width, 1, np.dtype(np.uint8), (0, 255)), end + (magic == b"P4"), magic
    more = _MORE.match(head, end)
    if not more:
        raise DamagedFile("its header has no maximum")
    maximum, end = more[1], more.end()
    # One white space ends the header; in text variants the next number does.
    start = end if magic in (b"P2", b"P3") else end + 1
    if magic in (b"Pf", b"PF"):
        if not re.fullmatch(rb"-?[0-9.]+(e[+-]?[0-9]+)?", maximum):
            raise DamagedFile(f"its header has {maximum[:20]!r} instead of a byte order")
        return Header(height, width, 3 if magic == b"PF" else 1, np.dtype(np.float32), (0, 1)), start, magic
    return _header(height, width, 3 if magic in (b"P3", b"P6") else 1, _number(maximum), False), start, magic


def _pam(head: bytes) -> tuple[Header, int, bytes]:
    found = _PAM.match(head)
    if not found:
        raise DamagedFile("its PAM header has no end")
    lines = (line.split(None, 1) for line in found[1].splitlines() if not line.startswith(b"#"))
    words = dict(parts for parts in lines if len(parts) == 2)
    try:
        height, width, depth, maximum = (_number(words[name]) for name in (b"HEIGHT", b"WIDTH", b"DEPTH", b"MAXVAL"))
    except KeyError as error:
        raise DamagedFile(f"its PAM header lacks {error.args[0].decode()}") from error
    if depth > 4:
        raise UnsupportedFormat(f"it has {depth} channels; 1 to 4 are read (grey or RGB, each with or without alpha)")
    return _header(height, width, depth, maximum, depth in (2, 4)), found.end(), b"P7"


def _metadata(raw: Bytes, head: Header, start: int, magic: bytes) -> Metadata:
    """The comments of the header, and what follows the pixels."""
    comments = re.findall(rb"#[^\n]*\n", raw[:start])
    items = [Item("comment", "comment", "native")] if comments else []
    end = start + _length(head, magic)
    if magic not in (b"P1", b"P2", b"P3") and len(raw) > end and raw[end:].strip():
        more = re.match(rb"\s*P[1-7fF]\s", raw[end : end + 64])
        items.append(
            Item("trailer", "more images behind the first" if more else f"{len(raw) - end} bytes behind its end")
        )
    holds = _HOLDS.get(_SUFFIXES.get(magic, ".pgm"), HOLDS)
    native = Native(holds.name, b"".join(comments)) if comments else None
    return Metadata(native=native, items=tuple(items), size=(head.width, head.height))


def _length(head: Header, magic: bytes) -> int:
    """Bytes of the pixels of the variants that are not text."""
    return (head.width + 7) // 8 * head.height if magic == b"P4" else head.nbytes


def _number(word: bytes) -> int:
    if not re.fullmatch(rb"0*[0-9]{1,9}", word) or not int(word):
        raise DamagedFile(f"its header has {word[:20]!r} instead of a positive number")
    return int(word)


def _header(height: int, width: int, channels: int, maximum: int, alpha: bool) -> Header:
    if maximum > 65535:
        raise DamagedFile(f"its maximum is {maximum}, beyond 65535")
    dtype: np.dtype[Any] = np.dtype(np.uint8 if maximum < 256 else np.uint16)
    return Header(height, width, channels, dtype, (0, maximum), alpha)


def _pixels(raw: Bytes, head: Header, start: int, magic: bytes) -> Array:
    """(H, W, C) as the header states; `DamagedFile` if values are missing or above the maximum."""
    height, width, channels = head.shape
    if magic == b"P4":
        row = (width + 7) // 8
        bits = np.unpackbits(_take(raw, start, height * row, np.dtype(np.uint8)).reshape(height, row), axis=1)
        return (1 - bits[:, :width, None]) * np.uint8(255)
    if magic in (b"Pf", b"PF"):
        little = raw[:start].split()[-1].startswith(b"-")
        floats = _take(raw, start, height * width * channels, np.dtype("<f4" if little else ">f4"))
        return floats.reshape(head.shape)[::-1].astype(np.float32)
    if magic in (b"P1", b"P2", b"P3"):
        return _text(raw, head, start, magic)
    stored = head.dtype.newbyteorder(">")
    values = _take(raw, start, height * width * channels, stored).astype(head.dtype)
    return _checked(values.reshape(head.shape), head)


def _text(raw: Bytes, head: Header, start: int, magic: bytes) -> Array:
    words = re.sub(rb"#[^\n]*", b" ", raw[start:])
    # Bits need no space between them.
    tokens: list[Any] = re.findall(rb"[01]", words) if magic == b"P1" else words.split()
    count = head.height * head.width * head.channels
    if len(tokens) < count:
        raise DamagedFile(f"it is cut short: {len(tokens)} of {count} values are there")
    try:
        values = np.array([int(token) for token in tokens[:count]], np.int64).reshape(head.shape)
    except (ValueError, OverflowError) as error:
        raise DamagedFile("its pixels contain something other than numbers") from error
    if values.min() < 0 or values.max() > np.iinfo(head.dtype).max:
        raise DamagedFile("its pixels exceed the maximum of its header")
    if magic == b"P1":
        values = (1 - values) * 255
    return _checked(values.astype(head.dtype), head)


def _checked(values: Array, head: Header) -> Array:
    if values.max() > head.levels[1]:
        raise DamagedFile(f"its pixels exceed the maximum of its header, {head.levels[1]}")
    return values


def _take(raw: Bytes, start: int, count: int, dtype: np.dtype[Any]) -> Array:
    if len(raw) - start < count * dtype.itemsize:
        raise DamagedFile(
            f"it is cut short: {max(len(raw) - start, 0)} of {count * dtype.itemsize} bytes of pixels are there"
        )
    return np.frombuffer(raw, dtype, count, start)


def _preamble(head: Header, comments: bytes) -> bytes:
    """The header to write for `head`, whose levels are (0, maximum) or float."""
    if head.dtype == np.float32:
        return b"%s\n%d %d\n-1.0\n" % (b"PF" if head.channels == 3 else b"Pf", head.width, head.height)
    kind = 6 if head.channels == 3 else 5
    return b"P%d\n%s%d %d\n%d\n" % (kind, comments, head.width, head.height, head.levels[1])


def _encode(job: EncoderInput) -> None:
    """A header, then plain numbers; the rows of floats from the bottom up."""
    native = job.metadata.native
    job.out.write(_preamble(job.header, native.data if native else b""))
    floats = job.header.dtype.kind == "f"
    for band in job.pages[0].bands(upwards=floats):
        stored = np.dtype("<f4") if floats else band.dtype.newbyteorder(">")
        job.out.write(np.ascontiguousarray(band, stored).view(np.uint8).data)
