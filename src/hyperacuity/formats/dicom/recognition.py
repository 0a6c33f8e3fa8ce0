"""Which files are DICOM, by their first bytes; their names often have no ending."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

# The index of a medium, which names files and holds no image.
_INDEX = "dicomdir"
# Representations of values that begin a file without a preamble.
_TYPES = (b"UL", b"UI", b"CS", b"DA", b"OB", b"SH", b"TM")
_LONGEST = 128


def accepts(path: Path) -> bool:
    """Return whether a file is DICOM, with the preamble of a file or without it."""
    try:
        with path.open("rb") as file:
            head = file.read(144)
    except OSError:
        return False  # opening it raises the error
    if head[128:132] == b"DICM":
        return True
    return _begins(head, "little") or _begins(head, "big")


def _begins(head: bytes, order: Literal["little", "big"]) -> bool:
    """Whether the first element belongs to group 2 or 8, and is short; element numbers are even there."""
    group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
    if len(head) < 16 or group not in (2, 8) or element > 0x20:
        return False
    if head[4:6] in _TYPES:
        return int.from_bytes(head[6:8], order) <= _LONGEST
    return group == 8 and element in (0, 5, 8, 0x16, 0x18) and int.from_bytes(head[4:8], order) <= _LONGEST


def find_files(folder: Path) -> list[Path]:
    """Return the files of DICOM in a folder, sorted by name; hidden ones and the index of a medium are left out."""
    try:
        names = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        path
        for path in names
        if not path.name.startswith(".") and path.name.lower() != _INDEX and path.is_file() and accepts(path)
    ]
