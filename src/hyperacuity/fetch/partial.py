"""The part of a file that has arrived: it stays when a download ends early, and grows when it is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Self

from hyperacuity.errors import UsageError
from hyperacuity.storage import lock_file, storing


class PartialDownload:
    """FILE.part, opened by one process at a time.

    Args:
        path: Of the file; it is created if missing, and removed if it stays empty.

    Attributes:
        path: The same.
        length: How many bytes are there.

    Raises:
        UsageError: The file cannot be written, or another process downloads it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with storing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file: IO[bytes] = path.open("ab")
        except UsageError as error:  # a cache folder that is read-only, or cannot be made
            raise UsageError(f"{error.message}; HYPERACUITY_CACHE names another folder for downloads") from error
        if not lock_file(self._file):
            self._file.close()
            raise UsageError(f"another process is downloading {path.stem}; wait until it has ended")
        self.length = path.stat().st_size

    def append(self, data: bytes) -> None:
        """Add what has arrived."""
        with storing(self.path):
            self._file.write(data)
            self._file.flush()
        self.length += len(data)

    def restart(self) -> None:
        """Drop what has arrived."""
        with storing(self.path):
            self._file.truncate(0)
        self.length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self.length == 0:
            self.path.unlink(missing_ok=True)
