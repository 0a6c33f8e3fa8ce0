"""The one table of kinds. A new one is a file with the names of `TaskKind` and one line here."""

from __future__ import annotations

from hyperacuity.cluster.kinds import files
from hyperacuity.cluster.kinds.protocol import Splitter, TaskKind

KINDS: dict[str, TaskKind] = {
    "files": files,
}

# What splits a file into tasks of other kinds; the first that does so has the file.
SPLITTERS: tuple[Splitter, ...] = ()
