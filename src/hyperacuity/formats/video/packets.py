"""Encoded frames that wait in a file until the whole video is there."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_ENTRY = struct.Struct("<qI?")


@dataclass(frozen=True)
class Stored:
    """An encoded frame; pts in the video's time base."""

    pts: int
    key: bool
    data: bytes


def store(file: IO[bytes], packet: Stored) -> None:
    file.write(_ENTRY.pack(packet.pts, len(packet.data), packet.key))
    file.write(packet.data)


def stored(path: Path, skip: int) -> Iterator[Stored]:
    """The packets of a file, behind its first `skip` bytes."""
    with path.open("rb") as file:
        file.seek(skip)
        while entry := file.read(_ENTRY.size):
            pts, size, key = _ENTRY.unpack(entry)
            yield Stored(pts, key, file.read(size))


def stored_times(path: Path, skip: int) -> Iterator[int]:
    """The pts of the packets alone."""
    with path.open("rb") as file:
        file.seek(skip)
        while entry := file.read(_ENTRY.size):
            pts, size, _ = _ENTRY.unpack(entry)
            file.seek(size, 1)
            yield pts


def decoding_times(pts: Sequence[int]) -> list[int]:
    """When each packet is to be decoded, given their pts in that order, which are all different.

    The pts sorted, moved by as few frames as let none be shown before it is decoded.
    """
    shown = sorted(pts)
    delay = max((n - bisect_left(shown, time) for n, time in enumerate(pts)), default=0)
    step = shown[1] - shown[0] if len(shown) > 1 else 1
    return [shown[0] - step * n for n in range(delay, 0, -1)] + shown[: len(shown) - delay]
