"""The stream of chunks from libvips' PNG encoder, with metadata put in as it passes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from hyperacuity.formats.photo.png_chunks import SIGNATURE
from hyperacuity.storage import Partial

# The signature and IHDR.
_HEAD = len(SIGNATURE) + 25


class Inserter:
    """Takes the bytes of a PNG file, inserts metadata after IHDR, and removes pHYs.

    libvips writes a resolution even if the image has none; the one that the image has is part of the metadata.

    Args:
        out: The file to write.
        metadata: Whole chunks.
    """

    def __init__(self, out: Partial, metadata: bytes) -> None:
        self._out, self._metadata = out, metadata
        self._waiting: bytes | None = b""
        self._error: Exception | None = None

    def encode(self, encode: Callable[[Any], None]) -> None:
        """Run an encoder that writes to the target it is given.

        Raises:
            OSError: If the file cannot be written.
        """
        import pyvips

        target = pyvips.TargetCustom()
        target.on_write(self._take)
        try:
            encode(target)
        except pyvips.Error:
            if self._error is not None:
                raise self._error from None
            raise
        if self._error is not None:
            raise self._error

    def _take(self, data: bytes) -> int:
        """Pass bytes on; what libvips cannot report is raised by `encode`."""
        try:
            if self._waiting is None:
                self._out.write(data)
            else:
                self._waiting += bytes(data)
                self._begin(self._waiting)
        except Exception as error:
            self._error = error
            return -1
        return len(data)

    def _begin(self, head: bytes) -> None:
        """Write everything before the pixels, once they have begun."""
        at = _HEAD
        kept = b""
        while at + 8 <= len(head):
            length, kind = struct.unpack(">I4s", head[at : at + 8])
            if kind == b"IDAT":
                self._waiting = None
                self._out.write(head[:_HEAD] + self._metadata + kept + head[at:])
                return
            if kind != b"pHYs":
                kept += head[at : at + 12 + length]
            at += 12 + length
