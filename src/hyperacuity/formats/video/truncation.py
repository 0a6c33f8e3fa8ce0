"""Finds whether a file ends before its own sizes say that it does. FFmpeg reports it for few containers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from hyperacuity.errors import BadOutput
from hyperacuity.formats.video.matroska import segment_end

# Sizes of MP4's boxes: to the end of the file, and in the 64 bits that follow.
_TO_THE_END, _LARGE, _HEADER = 0, 1, 16


def count_missing(path: Path, format_name: str) -> int:
    """Returns how many bytes are missing at the end of a file; 0 if none, or if its container does not tell.

    Args:
        path: The file.
        format_name: FFmpeg's name of its container.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if format_name.startswith("mov,"):
            return max(0, _boxes_end(file, size) - size)
        if format_name.startswith("matroska"):
            try:
                return max(0, segment_end(file) - size)
            except BadOutput:  # the file begins with something else
                return 0
    return 0


def _boxes_end(file: IO[bytes], size: int) -> int:
    """Where the last box of an MP4 ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(_HEADER)
        length = int.from_bytes(header[:4], "big")
        if length == _LARGE:
            length = int.from_bytes(header[8:16], "big")
        if length == _TO_THE_END or length < 8 or not header[4:8].isalnum():
            return size
        at += length
    return at
