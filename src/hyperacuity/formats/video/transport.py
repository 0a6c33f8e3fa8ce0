"""MPEG transport streams as bytes: where recordings were joined. Does not use FFmpeg.

Each packet of a transport stream counts itself, by the stream that it belongs to. Where the count jumps, FFmpeg marks
what came before as corrupt, since something may be missing. Nothing is where recordings were joined.

Source: ISO 13818-1, sections 2.4.3.2 (packets) and 2.4.4 (tables).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SYNC, _TABLES = 0x47, 0
# Packets have 188 bytes, after 4 bytes of a clock on Blu-ray and in cameras, or before 16 bytes of a checksum.
_LENGTHS = (188, 192, 204)
# How many bytes before and after the beginning of a frame are read: longer than any frame.
_BEFORE, _AFTER = 1 << 20, 16 << 20
# How many frames may begin between the one that is marked and the jump.
_FRAMES = 3


@dataclass(frozen=True)
class TransportPacket:
    """The header of a packet.

    Attributes:
        stream: The number of its stream; 0 for the table that a recording begins with.
        begins: Whether a frame, or a table, begins in it.
        count: Its number in its stream, modulo 16; None if it holds no payload and is not counted.
    """

    stream: int
    begins: bool
    count: int | None


def is_whole_before_join(path: Path, place: int) -> bool:
    """Returns whether the next jump in the count of a stream is where another recording was joined.

    It is if a frame, and not a part of one, and the tables of a recording begin there; then nothing is missing.

    Args:
        path: A transport stream.
        place: Where the first packet of a frame of that stream lies, at most a few frames before the jump: FFmpeg's
            parser marks a frame before the last one.
    """
    with path.open("rb") as file:
        file.seek(max(0, place - _BEFORE))
        before, after = file.read(min(place, _BEFORE)), file.read(_AFTER)
    length = next((one for one in _LENGTHS if all(after[at : at + 1] == b"\x47" for at in (0, one, 2 * one))), 0)
    if not length:
        return False
    begin = len(before) % length
    tables = [one.count for one in _packets(before[begin:], length) if one.stream == _TABLES]
    packets = _packets(after, length)
    own = next(packets)
    count, new_tables, frames = own.count, False, 0
    for packet in packets:
        if packet.stream == _TABLES:
            new_tables = bool(tables) and packet.count != ((tables[-1] or 0) + 1) % 16
            tables.append(packet.count)
        elif packet.stream == own.stream:
            if not _follows(packet.count, count):
                return packet.begins and new_tables
            count, new_tables, frames = packet.count, False, frames + packet.begins
            if frames > _FRAMES:
                return False
    return False


def _packets(content: bytes, length: int) -> Iterator[TransportPacket]:
    for at in range(0, len(content) - 3, length):
        if content[at] != _SYNC:
            return
        counted = bool(content[at + 3] & 0x10)
        stream = (content[at + 1] & 0x1F) << 8 | content[at + 2]
        yield TransportPacket(stream, bool(content[at + 1] & 0x40), content[at + 3] & 0xF if counted else None)


def _follows(count: int | None, before: int | None) -> bool:
    """Whether the number of a packet is the one after, or the same, as that of a repeated packet."""
    return None in (count, before) or count in (before, ((before or 0) + 1) % 16)
