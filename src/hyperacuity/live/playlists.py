"""HLS playlists: what FFmpeg's muxer does not say as the standard demands.

Source: RFC 8216, section 4.3.3.1 (the target duration must not change) and 4.3.2.3 (discontinuities).
"""

from __future__ import annotations

import math
import os
import re
from fractions import Fraction
from pathlib import Path

from hyperacuity.live.transports import SegmentFile

# A frame that comes later than this share of a segment after the one before begins a new segment, so that no segment
# lasts longer than the target duration.
GAP = Fraction(1, 2)


def target_duration(segment: Fraction) -> int:
    """Return the target duration of playlists, in seconds, from the usual duration of a segment."""
    return math.ceil(segment * (1 + GAP))


class PlaylistFile(SegmentFile):
    """A playlist being written; its target duration is the same each time."""

    def __init__(self, path: str, faults: list[OSError], segment: Fraction) -> None:
        super().__init__(path, faults)
        self._content, self._duration = bytearray(), target_duration(segment)

    def write(self, data: bytes) -> int:
        self._content += data
        return len(data)

    def close(self) -> None:
        line = rb"(?m)^#EXT-X-TARGETDURATION:\d+"
        super().write(re.sub(line, b"#EXT-X-TARGETDURATION:%d" % self._duration, bytes(self._content)))
        super().close()


def end_playlist(path: Path) -> None:
    """Mark a playlist as complete; until then players ask for more."""
    finished = path.with_name(path.name + ".tmp")
    finished.write_bytes(path.read_bytes() + b"#EXT-X-ENDLIST\n")
    os.replace(finished, path)
