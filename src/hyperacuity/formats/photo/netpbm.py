"""PBM, PGM, PPM, PAM and PFM: a text header, then bare numbers. Read and written with numpy, levels kept.

libvips' wheel has no loader for them, and Pillow stretches every maximum to 255 or 65535.
"""

from __future__ import annotations

import mmap
import re
from typing import Any

import numpy as np

from hyperacuity.errors import DamagedFile, UnsupportedFormat
from hyperacuity.image import Array, Header
from hyperacuity.storage import Partial

# White space and comments between the words of the header.
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\n]*\n)+"
_PLAIN = re.compile(rb"(P[1-6]|P[fF])" + _GAP + rb"(\S+)" + _GAP + rb"(\S+)")
_MORE = re.compile(_GAP + rb"(\S+)")
_PAM = re.compile(rb"P7\s(.*?)ENDHDR\n", re.DOTALL)


def header(data: bytes | mmap.mmap) -> tuple[Header, int, bytes]:
    """The header, the byte where the pixels start, and the magic number."""
    head = data[:65536]
    if head[:2] == b"P7":
        return _pam(head)
    found = _PLAIN.match(head)
    if not found:
        raise DamagedFile("its header is not that of a Netpbm file")
    magic, end = found[1], found.end()
    width, height = _number(found[2]), _number(found[3])
    if magic in (b"P1", b"P4"):
        # Shown as black and white everywhere, so stored as such.
        return Header(height, width, 1, np.dtype(np.uint8), (0, 255)), end + (magic == b"P4"), magic
    more = _MORE.match(head, end)
    if not more:
        raise DamagedFile("its header has no maximum")
    maximum, end = more[1], more.end()
    # One white space ends the header; in the text kinds the next number does.
    start = end if magic in (b"P2", b"P3") else end + 1
    if magic in (b"Pf", b"PF"):
        if not re.fullmatch(rb"-?[0-9.]+(e[+-]?[0-9]+)?", maximum):
            raise DamagedFile(f"its header says {maximum[:20]!r} where the byte order belongs")
        return Header(height, width, 3 if magic == b"PF" else 1, np.dtype(np.float32), (0, 1)), start, magic
    return _of(height, width, 3 if magic in (b"P3", b"P6") else 1, _number(maximum), False), start, magic


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
    return _of(height, width, depth, maximum, depth in (2, 4)), found.end(), b"P7"


def _number(word: bytes) -> int:
    if not re.fullmatch(rb"0*[0-9]{1,9}", word) or not int(word):
        raise DamagedFile(f"its header says {word[:20]!r} where a positive number belongs")
    return int(word)


def _of(height: int, width: int, channels: int, maximum: int, alpha: bool) -> Header:
    if maximum > 65535:
        raise DamagedFile(f"its maximum is {maximum}, beyond 65535")
    dtype: np.dtype[Any] = np.dtype(np.uint8 if maximum < 256 else np.uint16)
    return Header(height, width, channels, dtype, (0, maximum), alpha)


def pixels(data: bytes | mmap.mmap, head: Header, start: int, magic: bytes) -> Array:
    """(H, W, C) as the header says. Raises `DamagedFile` where values are missing or above the maximum."""
    height, width, channels = head.shape
    if magic == b"P4":
        row = (width + 7) // 8
        bits = np.unpackbits(_take(data, start, height * row, np.dtype(np.uint8)).reshape(height, row), axis=1)
        return (1 - bits[:, :width, None]) * np.uint8(255)
    if magic in (b"Pf", b"PF"):
        little = data[:start].split()[-1].startswith(b"-")
        floats = _take(data, start, height * width * channels, np.dtype("<f4" if little else ">f4"))
        return floats.reshape(head.shape)[::-1].astype(np.float32)
    if magic in (b"P1", b"P2", b"P3"):
        return _text(data, head, start, magic)
    stored = head.dtype.newbyteorder(">")
    values = _take(data, start, height * width * channels, stored).astype(head.dtype)
    return _checked(values.reshape(head.shape), head)


def _text(data: bytes | mmap.mmap, head: Header, start: int, magic: bytes) -> Array:
    words = re.sub(rb"#[^\n]*", b" ", data[start:])
    # Bits need no space between them.
    tokens: list[Any] = re.findall(rb"[01]", words) if magic == b"P1" else words.split()
    count = head.height * head.width * head.channels
    if len(tokens) < count:
        raise DamagedFile(f"it is cut short: {len(tokens)} of {count} values are there")
    try:
        values = np.array([int(token) for token in tokens[:count]], np.int64).reshape(head.shape)
    except (ValueError, OverflowError) as error:
        raise DamagedFile("there is something else than numbers among its pixels") from error
    if values.min() < 0 or values.max() > np.iinfo(head.dtype).max:
        raise DamagedFile("its pixels exceed the maximum of its header")
    if magic == b"P1":
        values = (1 - values) * 255
    return _checked(values.astype(head.dtype), head)


def _checked(values: Array, head: Header) -> Array:
    if values.max() > head.levels[1]:
        raise DamagedFile(f"its pixels exceed the maximum of its header, {head.levels[1]}")
    return values


def _take(data: bytes | mmap.mmap, start: int, count: int, dtype: np.dtype[Any]) -> Array:
    if len(data) - start < count * dtype.itemsize:
        raise DamagedFile(
            f"it is cut short: {max(len(data) - start, 0)} of {count * dtype.itemsize} bytes of pixels are there"
        )
    return np.frombuffer(data, dtype, count, start)


def preamble(head: Header) -> bytes:
    """The header to write for `head`, whose levels are (0, maximum) or float."""
    if head.dtype == np.float32:
        return b"%s\n%d %d\n-1.0\n" % (b"PF" if head.channels == 3 else b"Pf", head.width, head.height)
    return b"P%d\n%d %d\n%d\n" % (6 if head.channels == 3 else 5, head.width, head.height, head.levels[1])


def put(out: Partial, rows: Array) -> None:
    """Append rows to a file that begins with `preamble`; for floats they come from the bottom up."""
    stored = np.dtype("<f4") if rows.dtype == np.float32 else rows.dtype.newbyteorder(">")
    out.write(np.ascontiguousarray(rows, stored).view(np.uint8).data)
