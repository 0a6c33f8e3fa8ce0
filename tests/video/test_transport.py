"""Where MPEG transport streams were joined, nothing is missing; elsewhere, a jump of a count is a loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperacuity.formats.video.transport import is_whole_before_join

TABLES, VIDEO, SOUND = 0, 256, 257


def packet(stream: int, count: int, *, begins: bool = False, length: int = 188) -> bytes:
    head = bytes([0x47, begins << 6 | stream >> 8, stream & 255, 0x10 | count % 16]).ljust(188, b"\xff")
    return {188: head, 192: b"time" + head, 204: head.ljust(204, b"\0")}[length]


def recording(*frames: int, count: int = 0, length: int = 188) -> list[bytes]:
    """Tables, then frames of these numbers of packets, which are counted from `count` on; sound between them."""
    packets = [packet(TABLES, 0, begins=True, length=length)]
    for number, size in enumerate(frames):
        packets += [packet(VIDEO, count + n, begins=n == 0, length=length) for n in range(size)]
        packets.append(packet(SOUND, number, begins=True, length=length))
        count += size
    return packets


def place(packets: list[bytes], frame: int) -> int:
    """Where a frame begins, in bytes; as FFmpeg has it, behind the clock in front of the packet."""
    begins = [n for n, each in enumerate(packets) if each[-188:][:3] == b"\x47\x41\0" or each[:3] == b"\x47\x41\0"]
    return begins[frame] * len(packets[0]) + (4 if len(packets[0]) == 192 else 0)


@pytest.mark.parametrize("length", [188, 192, 204])
def test_a_frame_before_a_join_is_whole(length: int, tmp_path: Path) -> None:
    packets = recording(3, 1, 4, length=length) + recording(5, 2, length=length)
    (tmp_path / "a.ts").write_bytes(b"".join(packets))
    assert is_whole_before_join(tmp_path / "a.ts", place(packets, 2))
    assert is_whole_before_join(tmp_path / "a.ts", place(packets, 1))


@pytest.mark.parametrize("lost", [2, 3, 5, 8, 9])
def test_a_frame_with_a_loss_is_not(lost: int, tmp_path: Path) -> None:
    packets = recording(3, 3, 3)
    del packets[lost]  # the second or third packet of a frame, or all of a short table in between
    (tmp_path / "a.ts").write_bytes(b"".join(packets))
    assert not is_whole_before_join(tmp_path / "a.ts", 188)


def test_a_loss_between_two_frames_is_no_join(tmp_path: Path) -> None:
    packets = recording(3, 3, 3)
    (tmp_path / "a.ts").write_bytes(b"".join(packets[:5] + packets[8:]))
    assert not is_whole_before_join(tmp_path / "a.ts", 188)


@pytest.mark.parametrize("content", [b"", b"G", b"\x47" * 188, bytes(2000), b"\x47\x41\0\x10" + bytes(3000)])
def test_anything_else_is_no_join(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(content)
    assert not is_whole_before_join(tmp_path / "a.ts", 0)
    assert not is_whole_before_join(tmp_path / "a.ts", 5000)
