"""Encoded frames in a file of their own, until the whole video can be muxed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_ENTRY = struct.Struct("<qI?")


class PacketFile(Protocol):
    """A file that packets are appended to."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class StoredPacket:
    """An encoded frame; `pts` in units of the video's time base, `key` whether it is a key frame."""

    pts: int
    key: bool
    data: bytes


def store_packet(file: PacketFile, packet: StoredPacket) -> None:
    """Append a packet to a file."""
    file.write(_ENTRY.pack(packet.pts, len(packet.data), packet.key))
    file.write(packet.data)


def read_packets(path: Path, skip: int) -> Iterator[StoredPacket]:
    """Yields the packets of a file after its first `skip` bytes."""
    with path.open("rb") as file:
        file.seek(skip)
        while entry := file.read(_ENTRY.size):
            pts, size, key = _ENTRY.unpack(entry)
            yield StoredPacket(pts, key, file.read(size))


def read_packet_times(path: Path, skip: int) -> Iterator[int]:
    """Yields the pts of the packets of a file after its first `skip` bytes."""
    with path.open("rb") as file:
        file.seek(skip)
        while entry := file.read(_ENTRY.size):
            pts, size, _ = _ENTRY.unpack(entry)
            file.seek(size, 1)
            yield pts
