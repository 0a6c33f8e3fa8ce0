"""Compares a file with what the catalogue says of it. Until then nothing reads the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hyperacuity.errors import WeightsError
from hyperacuity.zoo import PublishedWeights


def hash_file(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, entry: PublishedWeights) -> None:
    """Compare the size and the hash of a file with its entry.

    Raises:
        WeightsError: It is another file, or a damaged one.
    """
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        raise WeightsError(f"{path} has {size:,} bytes, and {entry.file} has {entry.size:,}: it is not the same file")
    digest = hash_file(path)
    if not digest.startswith(entry.sha256.lower()):
        count = len(entry.sha256)
        raise WeightsError(
            f"{path} is not {entry.file} as it was published: its SHA-256 is {digest[:count]}, not {entry.sha256}"
        )
