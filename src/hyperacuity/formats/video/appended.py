"""Finds a second file behind the first, as when videos were joined byte by byte. FFmpeg may read the first only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

# The name of the box with which an MP4 begins, and the first bytes of FLV.
_FTYP, _FLV = b"ftyp", b"FLV\1"
# Sizes of MP4's boxes: to the end of the file, and in the 64 bits that follow.
_TO_THE_END, _LARGE, _HEADER = 0, 1, 16
# The rest of a file, in bytes, in which a second FLV is looked for.
_STEP = 1 << 20


def has_second_file(path: Path, format_name: str, end: int) -> bool:
    """Whether another file of the same format follows the first.

    Args:
        path: The file.
        format_name: FFmpeg's name of its container.
        end: Where the last packet ends that FFmpeg reads, in bytes.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if format_name.startswith("mov,"):
            return _has_second_mp4(file, size)
        if format_name == "flv":
            return _follows(file, end, _FLV)
    return False


def _has_second_mp4(file: IO[bytes], size: int) -> bool:
    at = files = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(_HEADER)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == _LARGE:
            length = int.from_bytes(header[8:16], "big")
        files += kind == _FTYP
        if length == _TO_THE_END or length < 8:
            break
        at += length
    return files > 1


def _follows(file: IO[bytes], start: int, magic: bytes) -> bool:
    file.seek(start)
    rest = b""
    while block := file.read(_STEP):
        rest = rest[-len(magic) :] + block
        if magic in rest:
            return True
    return False
