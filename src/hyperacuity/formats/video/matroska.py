"""What is added to a finished Matroska file: chapters, where FFmpeg's muxer runs inside another one that has none.

Source: RFC 9559 (Matroska), RFC 8794 (EBML).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import BadOutput

_SEGMENT, _SEEK_HEAD, _VOID, _CHAPTERS = 0x18538067, 0x114D9B74, 0xEC, 0x1043A770
_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_EDITION, _ATOM, _UID, _START, _END, _DISPLAY, _STRING, _LANGUAGE = (
    0x45B9, 0xB6, 0x73C4, 0x91, 0x92, 0x80, 0x85, 0x437C,
)  # fmt: skip


def add_chapters(path: Path, chapters: Sequence[Any]) -> None:
    """Append chapters to a file, and list them in its index of elements.

    Args:
        path: A file by FFmpeg's muxer: one segment of known size, with room after its index.
        chapters: As PyAV has them.

    Raises:
        BadOutput: If the file has another structure.
    """
    with path.open("r+b") as file:
        head, size = _header(file)
        while head != _SEGMENT:
            file.seek(size, 1)
            head, size = _header(file)
        begin = file.tell()
        head, length = _header(file)
        index = file.read(length)
        after, room = _header(file)
        spare = file.tell() + room - begin  # bytes for the index and what is left of the room
        end = file.seek(0, 2)
        if head != _SEEK_HEAD or after != _VOID or begin + size != end:
            raise BadOutput(f"{path} has no room for chapters")
        place = _element(_SEEK_POSITION, struct.pack(">Q", end - begin))
        entry = _element(_SEEK, _element(_SEEK_ID, _id(_CHAPTERS)) + place)
        longer = _element(_SEEK_HEAD, index + entry)
        if len(longer) + 9 > spare:
            raise BadOutput(f"{path} has no room for chapters")
        content = _element(_CHAPTERS, _element(_EDITION, b"".join(map(_atom, chapters))))
        file.write(content)
        file.seek(begin - 8)
        file.write(_size(size + len(content)))
        rest = spare - len(longer) - 9
        file.write(longer + _id(_VOID) + _size(rest) + bytes(rest))


def _atom(chapter: Any) -> bytes:
    base = chapter["time_base"] or Fraction(1, 1000)
    start, end = (round(chapter[side] * base * 1_000_000_000) for side in ("start", "end"))
    numbers = ((_UID, (chapter["id"] & (1 << 62) - 1) + 1), (_START, start), (_END, end))
    atom = b"".join(_element(kind, struct.pack(">Q", number)) for kind, number in numbers)
    title = {key.lower(): value for key, value in chapter["metadata"].items()}.get("title")
    if title is not None:
        atom += _element(_DISPLAY, _element(_STRING, title.encode()) + _element(_LANGUAGE, b"und"))
    return _element(_ATOM, atom)


def _header(file: IO[bytes]) -> tuple[int, int]:
    """The identifier and the size of the next element."""
    first = file.read(1)
    if not first or not first[0]:
        raise BadOutput("this is not a Matroska file")
    identifier = int.from_bytes(first + file.read(8 - first[0].bit_length()), "big")
    first = file.read(1)
    width = 9 - first[0].bit_length()
    return identifier, int.from_bytes(first + file.read(width - 1), "big") & (1 << 7 * width) - 1


def _id(identifier: int) -> bytes:
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    """A size in eight bytes."""
    return struct.pack(">Q", size | 1 << 56)


def _element(identifier: int, content: bytes) -> bytes:
    return _id(identifier) + _size(len(content)) + content
