"""The folder in which a video grows, segment by segment, so that the next run goes on from where this one ended."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.packets import Stored, store, stored, stored_times

# Frames of a segment: each begins with a key frame, and what a killed run loses is at most one.
LENGTH = 100
_LOCK = "lock"
_LONGEST = 40
_HEAD = struct.Struct("<qqqqq?")


@dataclass(frozen=True)
class Segment:
    """What is known of a finished segment beside its packets. damaged, total, saved: counted from the video's
    beginning. duration: of its last frame. last: the video ends with it.
    """

    frames: int
    duration: int
    damaged: int
    total: int
    saved: int
    last: bool


class Work:
    """Segments of one video being made for `output`, in a hidden folder beside it.

    identity: what makes the result what it is. Where the folder holds the work for another, that is thrown away, and
    `begun_anew` says so. Only one may have it at a time: `close` gives it up, and so does the end of a process.

    Raises `UsageError` where another has it.
    """

    def __init__(self, output: Path, identity: dict[str, Any]) -> None:
        output = Path(os.path.realpath(output))
        self.folder = output.with_name(f".{_short(output.name)}.parts")
        manifest = self.folder / "work.json"
        # As it will be read back: JSON knows no tuples.
        identity = json.loads(json.dumps(identity))
        self.folder.mkdir(exist_ok=True)
        self._lock = (self.folder / _LOCK).open("ab")
        if not _locked(self._lock):
            self._lock.close()
            raise UsageError(f"{output} is being made by another run: let that end, or choose another name")
        self.begun_anew = manifest.exists() and _read(manifest) != identity
        self._empty("*" if self.begun_anew else "*.part")
        if not manifest.exists():
            _whole(manifest, json.dumps(identity, indent=1).encode())
        self.segments: list[Segment] = []
        while (path := self._path(len(self.segments))).exists():
            with path.open("rb") as file:
                self.segments.append(Segment(*_HEAD.unpack(file.read(_HEAD.size))))

    @property
    def frames(self) -> int:
        """How many frames are finished."""
        return sum(segment.frames for segment in self.segments)

    @property
    def done(self) -> bool:
        return bool(self.segments) and self.segments[-1].last

    @property
    def result(self) -> Path:
        """Where the whole video is put together."""
        return self.folder / "video.part"

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.segment"

    def begin(self) -> Open:
        """The next segment."""
        return Open(self, self._path(len(self.segments)))

    def packets(self) -> Iterator[Stored]:
        for number in range(len(self.segments)):
            yield from stored(self._path(number), _HEAD.size)

    def times(self) -> list[int]:
        """The pts of all packets."""
        return [pts for n in range(len(self.segments)) for pts in stored_times(self._path(n), _HEAD.size)]

    def _empty(self, pattern: str) -> None:
        for path in self.folder.glob(pattern):
            if path.name != _LOCK:
                path.unlink()

    def close(self) -> None:
        """Leave what there is to the next run."""
        self._lock.close()

    def remove(self) -> None:
        self._empty("*")
        self.close()
        shutil.rmtree(self.folder)


def _short(name: str) -> str:
    """A name itself, or where it is long its start and what tells it from others: file systems allow 255 bytes."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


class Open:
    """A segment that is being written; it counts only once it is finished."""

    def __init__(self, work: Work, path: Path) -> None:
        self._work, self._path = work, path
        self._part = path.with_suffix(".part")
        self._file: IO[bytes] = self._part.open("wb")
        self._file.write(bytes(_HEAD.size))

    def write(self, packets: list[Any]) -> None:
        for packet in packets:
            store(self._file, Stored(packet.pts, packet.is_keyframe, bytes(packet)))

    def finish(self, segment: Segment) -> None:
        """From here on it survives whatever may come."""
        self._file.seek(0)
        self._file.write(_HEAD.pack(*astuple(segment)))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self._path)
        self._work.segments.append(segment)

    def close(self) -> None:
        """Give up what is not finished."""
        self._file.close()


def _locked(file: IO[bytes]) -> bool:
    """Whether nobody else has it, who then cannot until it is closed; True where a file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def _read(manifest: Path) -> Any:
    try:
        return json.loads(manifest.read_text())
    except (OSError, ValueError):
        return None  # not ours, or cut off while it was written


def _whole(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
