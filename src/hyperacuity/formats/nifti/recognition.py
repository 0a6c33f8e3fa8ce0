"""Which files are NIfTI, by their first bytes."""

from __future__ import annotations

import zlib
from pathlib import Path

# The endings of files that are written.
SUFFIXES = (".nii", ".nii.gz")
GZIP = b"\x1f\x8b"
# The endings of pairs, whose header and values lie in two files.
_HEADER, _VALUES = ".hdr", ".img"
# The sizes of the headers of NIfTI-1 and NIfTI-2.
_FIRST, _SECOND = 348, 540


def accepts(path: Path) -> bool:
    """Return whether a file is NIfTI, compressed or not, also either file of a pair."""
    return is_values_of_pair(path) or _magic_of(path) is not None


def is_values_of_pair(path: Path) -> bool:
    """Return whether a file holds the values of a pair."""
    return _ending(path) == _VALUES and path.is_file() and needs_values(other_of_pair(path))


def is_header_of_pair(path: Path) -> bool:
    """Return whether a file is the header of values that lie in another file, which is there."""
    return needs_values(path) and other_of_pair(path).is_file()


def needs_values(path: Path) -> bool:
    """Return whether a file is the header of values that lie in another file."""
    return _ending(path) == _HEADER and _magic_of(path) in (b"ni1", b"ni2")


def other_of_pair(path: Path) -> Path:
    """Return the name of the file of values for a header, and that of the header for values.

    Example:
        >>> other_of_pair(Path("brain.hdr.gz")).name
        'brain.img.gz'
    """
    stem, ending = split_name(path)
    other = _VALUES if _ending(path) == _HEADER else _HEADER
    other = other.upper() if ending.isupper() else other
    return path.with_name(stem + other + ending[len(other) :])


def _ending(path: Path) -> str:
    """The ending of a name, without that of gzip."""
    return split_name(path)[1].lower().removesuffix(".gz")


def _magic_of(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return None  # opening it raises the error
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _SECOND)
        except zlib.error:
            return None
    return magic(head)


def magic(head: bytes) -> bytes | None:
    """Return the magic number of a header: b"n+1", b"n+2", b"ni1" or b"ni2"; None if it is not NIfTI."""
    size = head[:4]
    if _FIRST in (int.from_bytes(size, "little"), int.from_bytes(size, "big")) and head[344:347] in (b"n+1", b"ni1"):
        return head[344:347]
    if _SECOND in (int.from_bytes(size, "little"), int.from_bytes(size, "big")) and head[4:7] in (b"n+2", b"ni2"):
        return head[4:7]
    return None


def split_name(path: Path) -> tuple[str, str]:
    """Return the stem and the ending of a name, which is ".nii.gz" or the like for compressed files.

    Example:
        >>> split_name(Path("brain.nii.gz"))
        ('brain', '.nii.gz')
    """
    if path.name.lower().endswith((".nii.gz", f"{_HEADER}.gz", f"{_VALUES}.gz")):
        return path.name[:-7], path.name[-7:]
    return path.stem, path.suffix
