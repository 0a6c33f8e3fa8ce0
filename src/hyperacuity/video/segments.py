"""The folder that collects a video's segments, so that the next run resumes where this one ended."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import struct
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.packets import StoredPacket, read_packet_times, read_packets, store_packet
from hyperacuity.storage import Partial, lock_file, whole, write_whole

# Frames of a segment: each begins with a key frame, and a killed run loses at most one segment.
SEGMENT_FRAMES = 100
_LOCK = "lock"
_LONGEST = 40
_HEAD = struct.Struct("<qqqqq?")


@dataclass(frozen=True)
class SegmentSummary:
    """The header of a finished segment.

    Attributes:
        frames: How many it holds.
        duration: Of its last frame, in the video's time base.
        damaged, total, saved: Its damaged frames, and the pixels of `Savings`.
        last: Whether it is the last segment of the video.
    """

    frames: int
    duration: int
    damaged: int
    total: int
    saved: int
    last: bool


class SegmentFolder:
    """Finished segments of a video for `output`, in a hidden folder next to it.

    Only one run can hold the folder at a time: `close`, or the end of the process, releases it.

    Args:
        output: The file that the segments will become.
        identity: Everything that determines the result. If the folder holds segments of another identity, they are
            removed, and `discarded` is set.

    Raises:
        UsageError: If another run holds the folder.
    """

    def __init__(self, output: Path, identity: dict[str, Any]) -> None:
        output = Path(os.path.realpath(output))
        self.folder = output.with_name(f".{_short(output.name)}.parts")
        manifest = self.folder / "work.json"
        # Convert as reading back will: JSON has no tuples.
        identity = json.loads(json.dumps(identity))
        self.folder.mkdir(exist_ok=True)
        self._lock = (self.folder / _LOCK).open("ab")
        if not lock_file(self._lock):
            self._lock.close()
            raise UsageError(f"{output} is being written by another run: wait for it, or choose another name")
        self.discarded = manifest.exists() and _read(manifest) != identity
        self._empty("*" if self.discarded else "*.part")
        if not manifest.exists():
            try:
                write_whole(manifest, json.dumps(identity, indent=1).encode())
            except OSError:
                self.remove()  # it holds nothing yet
                raise
        self.segments: list[SegmentSummary] = []
        while (path := self._path(len(self.segments))).exists():
            self.segments.append(read_summary(path))

    @property
    def frames(self) -> int:
        """How many frames all segments hold."""
        return sum(segment.frames for segment in self.segments)

    @property
    def complete(self) -> bool:
        """Whether the last frame of the video is in a segment."""
        return bool(self.segments) and self.segments[-1].last

    @property
    def result(self) -> Path:
        """The file into which the whole video is muxed."""
        return self.folder / "video.part"

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.segment"

    def begin(self) -> OpenSegment:
        """Returns the next segment, to be written; `add` makes it count."""
        return OpenSegment(self._path(len(self.segments)))

    def add(self, summary: SegmentSummary) -> None:
        """Count the segment that `begin` returned, which is finished now."""
        self.segments.append(summary)

    def adopt(self, segments: Iterable[Path]) -> None:
        """Take over segments that other machines have made of the same video, from its beginning on.

        Args:
            segments: Files in order. Those after one that is empty or too short for its place are not used.
        """
        for path in itertools.islice(segments, len(self.segments), None):
            summary = read_summary(path)
            if self.complete or not (summary.frames == SEGMENT_FRAMES or (summary.last and summary.frames)):
                return
            with whole(self._path(len(self.segments))) as temporary:
                shutil.copyfile(path, temporary)
            self.segments.append(summary)

    def packets(self) -> Iterator[StoredPacket]:
        """Yields the packets of all segments."""
        for number in range(len(self.segments)):
            yield from read_packets(self._path(number), _HEAD.size)

    def times(self) -> list[int]:
        """Returns the pts of all packets."""
        return [pts for n in range(len(self.segments)) for pts in read_packet_times(self._path(n), _HEAD.size)]

    def _empty(self, pattern: str) -> None:
        for path in self.folder.glob(pattern):
            if path.name != _LOCK:
                path.unlink()

    def close(self) -> None:
        """Release the folder, and leave its segments to the next run."""
        self._lock.close()

    def remove(self) -> None:
        """Release and delete the folder."""
        self._empty("*")
        self.close()
        shutil.rmtree(self.folder)


def _short(name: str) -> str:
    """A name; if it is long, its start and a digest, since file systems allow 255 bytes."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


class OpenSegment:
    """A segment being written; it counts only once it is finished.

    Args:
        path: The file; it appears when the segment is finished.
    """

    def __init__(self, path: Path) -> None:
        self._partial = Partial(path)
        self._partial.write(bytes(_HEAD.size))

    def write(self, packets: list[Any]) -> None:
        """Append FFmpeg's packets."""
        for packet in packets:
            beside = bytes(packet.get_sidedata("matroska_block_additional"))
            store_packet(self._partial, StoredPacket(packet.pts, packet.is_keyframe, bytes(packet), beside))

    def finish(self, summary: SegmentSummary) -> None:
        """Make the segment durable: from here on it survives a crash."""
        self._partial.file.seek(0)
        self._partial.write(_HEAD.pack(*astuple(summary)))
        self._partial.commit()

    def discard(self) -> None:
        """Remove an unfinished segment."""
        self._partial.discard()


def read_summary(path: Path) -> SegmentSummary:
    """Returns the header of a segment."""
    with path.open("rb") as file:
        return SegmentSummary(*_HEAD.unpack(file.read(_HEAD.size)))


def segment_times(path: Path) -> list[int]:
    """Returns the pts of a segment's packets, in the order in which they are shown."""
    return sorted(read_packet_times(path, _HEAD.size))


def _read(manifest: Path) -> Any:
    try:
        return json.loads(manifest.read_text())
    except (OSError, ValueError):
        return None  # not a header, or truncated
