"""The one table of kinds. A new one is a file with the names of `TaskKind` and one line here."""

from __future__ import annotations

from hyperacuity.cluster.kinds import band, files, image_join, image_source, segment, video_join
from hyperacuity.cluster.kinds.protocol import Splitter, TaskKind

KINDS: dict[str, TaskKind] = {
    "files": files,
    "segment": segment,
    "video-join": video_join,
    "image-source": image_source,
    "band": band,
    "image-join": image_join,
}

# What splits a file into tasks of other kinds; the first that does so has the file. `band.split`, whose limits a plan
# may set, comes after these.
SPLITTERS: tuple[Splitter, ...] = (segment.split,)
