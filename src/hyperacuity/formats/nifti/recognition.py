"""Which files are NIfTI, by their first bytes."""

from __future__ import annotations

import zlib
from pathlib import Path

# The endings of files that are written.
SUFFIXES = (".nii", ".nii.gz")
GZIP = b"\x1f\x8b"
# The sizes of the headers of NIfTI-1 and NIfTI-2.
_FIRST, _SECOND = 348, 540


def accepts(path: Path) -> bool:
    """Return whether a file is NIfTI, compressed or not, also one whose values lie in a second file."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False  # opening it raises the error
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _SECOND)
        except zlib.error:
            return False
    return magic(head) is not None


def magic(head: bytes) -> bytes | None:
    """Return the magic number of a header: b"n+1", b"n+2", b"ni1" or b"ni2"; None if it is not NIfTI."""
    size = head[:4]
    if _FIRST in (int.from_bytes(size, "little"), int.from_bytes(size, "big")) and head[344:347] in (b"n+1", b"ni1"):
        return head[344:347]
    if _SECOND in (int.from_bytes(size, "little"), int.from_bytes(size, "big")) and head[4:7] in (b"n+2", b"ni2"):
        return head[4:7]
    return None


def split_name(path: Path) -> tuple[str, str]:
    """Return the stem and the ending of a name, which is ".nii.gz" for compressed files.

    Example:
        >>> split_name(Path("brain.nii.gz"))
        ('brain', '.nii.gz')
    """
    if path.name.lower().endswith(".nii.gz"):
        return path.name[:-7], path.name[-7:]
    return path.stem, path.suffix
