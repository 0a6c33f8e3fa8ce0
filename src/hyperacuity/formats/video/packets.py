"""Encoded frames in a file of their own, until the whole video can be muxed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_ENTRY = struct.Struct("<qII?")


class PacketFile(Protocol):
    """A file that packets are appended to."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class StoredPacket:
    """An encoded frame.

    Attributes:
        pts: In units of the video's time base.
        key: Whether it is a key frame.
        data: The packet.
        beside: What Matroska stores next to it: the alpha of VP9; empty for most.
    """

    pts: int
    key: bool
    data: bytes
    beside: bytes = b""


def store_packet(file: PacketFile, packet: StoredPacket) -> None:
    """Append a packet to a file."""
    file.write(_ENTRY.pack(packet.pts, len(packet.data), len(packet.beside), packet.key))
    file.write(packet.data + packet.beside)


def read_packets(path: Path, skip: int) -> Iterator[StoredPacket]:
    """Yields the packets of a file after its first `skip` bytes."""
    with path.open("rb") as file:
        file.seek(skip)
        while entry := file.read(_ENTRY.size):
            pts, size, beside, key = _ENTRY.unpack(entry)
            yield StoredPacket(pts, key, file.read(size), file.read(beside))


def read_packet_times(path: Path, skip: int) -> Iterator[int]:
    """Yields the pts of the packets of a file after its first `skip` bytes."""
    with path.open("rb") as file:
        file.seek(skip)
        while entry := file.read(_ENTRY.size):
            pts, size, beside, _ = _ENTRY.unpack(entry)
            file.seek(size + beside, 1)
            yield pts
