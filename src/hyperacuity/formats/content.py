"""Access to the bytes of a file being opened: the first ones, a range, or all of them."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from hyperacuity.errors import DamagedFile, UsageError, describe_os_error

Bytes = bytes | mmap.mmap

# How many of a file's first bytes are read before its format is known.
HEAD = 4096
# Smaller files are copied into memory: a mapped file that is truncated, or whose disk is removed, while it is read
# ends the whole process (SIGBUS).
COPIED = 64 << 20


@dataclass(frozen=True)
class Content:
    """The bytes of a file, from which a format recognises and reads it.

    Args:
        name: The name of the file in messages.
        head: Its first `HEAD` bytes, or all of a shorter file.
        data: The path, or the bytes themselves.
        strict: Whether a file that is not complete is damaged even if all its pixels are there.
    """

    name: str
    head: bytes
    data: Path | bytes
    strict: bool = False

    def part(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from byte `start` on, for formats that the first bytes do not identify."""
        if isinstance(self.data, bytes):
            return self.data[start : start + size]
        with open(self.data, "rb") as file:
            file.seek(start)
            return file.read(size)

    def whole(self) -> Bytes:
        """Return all bytes; a file of more than 64 MiB is mapped, and must not shrink while it is read."""
        if isinstance(self.data, bytes):
            return self.data
        with open(self.data, "rb") as file:
            small = os.fstat(file.fileno()).st_size <= COPIED
            return file.read() if small else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def open_content(data: Path | bytes, *, strict: bool = False) -> Content:
    """Read the first bytes of a file, given by its path or as bytes.

    Args:
        data: The path of a file, or the bytes of one.
        strict: Whether a file that is not complete is damaged even if all its pixels are there.

    Raises:
        UsageError: If the file cannot be opened.
        DamagedFile: If it is empty.
    """
    if isinstance(data, bytes):
        content = Content("the data", data[:HEAD], data, strict)
    else:
        content = Content(str(data), _head(data), data, strict)
    if not content.head:
        raise DamagedFile(f"{content.name} is empty")
    return content


def _head(path: Path) -> bytes:
    try:
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            raise UsageError(f"{path} may not be read; check its permissions")
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise UsageError(f"{path} is {kind}; give a file (the bytes of a pipe can be given as they are)")
        with open(path, "rb") as file:
            return file.read(HEAD)
    except UsageError:
        raise
    except FileNotFoundError as error:
        raise UsageError(f"{path} is a broken link" if path.is_symlink() else f"{path} does not exist") from error
    except PermissionError as error:
        raise UsageError(f"{path} may not be read; check its permissions") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(f"{path} is a broken link: it leads to itself") from error
        raise UsageError(f"{path} cannot be opened: {describe_os_error(error)}") from error
    except ValueError as error:  # a zero byte in the name
        raise UsageError(f"{path} cannot be opened: {error}") from error
