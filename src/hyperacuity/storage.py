"""Writes files completely or not at all, and explains errors of the file system.

    write_whole(path, data) bytes that are in memory
    whole(path)                a context that gives a temporary path, for whatever writes to a path or opens it
    Partial(path)              an open file, for what is written over time

All of them write under a hidden temporary name in the same folder, bring the data to the disk (fsync), and then replace
`path` in one step. After a failure, a crash or a loss of power, `path` is unchanged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import OTHER, UsageError, Use, describe_os_error

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


# All partial files that are open, for `abandon`, and the lock that opening one takes: a signal may arrive in the thread
# that holds it.
_open: set[Partial] = set()
_opening = threading.RLock()


def abandon() -> None:
    """Remove every partial file of this process, which must then end: code that is writing them is not notified."""
    _opening.acquire()  # and never release it, so that no new file is started
    for partial in list(_open):
        with contextlib.suppress(OSError):
            partial.name.unlink()


class Partial:
    """An unbuffered file in the folder of `path`, under a hidden name, open for reading and writing.

    `commit` replaces `path` with it in one step; `discard` removes it, and does nothing after a commit. The
    result has the permissions that `open(path, "wb")` would have given it: those of the file that it replaces, or else
    the default of the process. A symbolic link is followed.

    Args:
        path: The file to write.

    Attributes:
        path: The same, links resolved.
        name: The path of the temporary file.
        file: The open temporary file.

    Raises:
        OSError: If it cannot be created; `storing` explains it to users. `IsADirectoryError` if `path` is a folder.
    """

    def __init__(self, path: Path) -> None:
        # os.replace alone would replace the link itself.
        self.path = real_path(path)
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
        # File systems allow 255 bytes a name, so a long one contributes only its first characters.
        self.name = self.path.with_name(f".{self.path.name[:40]}.{secrets.token_hex(4)}.part")
        with _opening:
            _open.add(self)
            try:
                self.file: IO[bytes] = open(self.name, "x+b", buffering=0)  # noqa: SIM115 - closed by commit or discard
            except BaseException:
                _open.discard(self)
                raise

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`; unbuffered files may write only a part at a time."""
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.file.write(rest) :]

    def commit(self) -> None:
        """Bring the data to the disk and put the file in its place."""
        self.file.close()
        _flush(self.name)
        with contextlib.suppress(OSError):  # a new file, or a file system without permissions
            os.chmod(self.name, stat.S_IMODE(self.path.stat().st_mode))
        os.replace(self.name, self.path)
        _open.discard(self)

    def discard(self) -> None:
        """Close and remove the file unless it was committed."""
        self.file.close()
        if self in _open:
            self.name.unlink(missing_ok=True)
            _open.discard(self)


def _flush(path: Path) -> None:
    """Flush a file to the disk (fsync), whichever program wrote it."""
    number = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(number)
    finally:
        os.close(number)


def as_utf8(text: str) -> bytes:
    r"""Return text in UTF-8; bytes of file names that are not text in the locale's encoding become \udce4 and the like.

    Example:
        >>> as_utf8(os.fsdecode(b"caf\xe9.jpg"))
        b'caf\\udce9.jpg'
    """
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, which is complete afterwards, or unchanged if this fails.

    Raises:
        OSError: From the file system; `storing` explains it to users.
    """
    partial = Partial(path)
    try:
        partial.write(data)
        partial.commit()
    finally:
        partial.discard()


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path, which replaces `path` when the context ends without an error.

    The temporary file exists and is empty; its name has a different ending than `path`, so a library that writes to it
    needs the format as an argument.

    Example:
        with whole(folder / "state.pt") as temporary:
            torch.save(state, temporary)

    Raises:
        OSError: From the file system; `storing` explains it to users.
    """
    partial = Partial(path)
    try:
        partial.file.close()
        yield partial.name
        partial.commit()
    finally:
        partial.discard()


def real_path(path: Path) -> Path:
    """Returns the absolute path without symbolic links; `Path.resolve` raises an error for a link to itself."""
    return Path(os.path.realpath(path))


def may_write(output: Path, source: object, *, force: bool) -> None:
    """Raise `UsageError` if `output` exists and must not be overwritten, or is the same file as `source`."""
    with storing(output):
        if isinstance(source, Path) and output.exists() and source.exists() and output.samefile(source):
            raise UsageError(f"{output} is the input; choose another name")
        if output.exists() and not force:
            raise UsageError(f"{output} exists", Use(output=OTHER), Use(force=True))


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn errors of the file system while `path` is written into a `UsageError` with a cure."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of a pipe has closed it: not an error of this file
    except OSError as error:
        if error.errno in _FULL:
            cure = "the disk is full (or a quota is reached); free some space or write to another disk"
        elif error.errno in _FORBIDDEN:
            cure = f"no permission to write in {path.parent}; choose another folder"
        elif error.errno == errno.ENOENT:
            cure = f"the folder {path.parent} does not exist; create it first"
        elif error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
            cure = "a folder is in place of a file, or a file in place of a folder; choose another name"
        else:
            cure = describe_os_error(error)
        raise UsageError(f"{path} was not written: {cure}") from error


def lock_file(file: IO[Any]) -> bool:
    """Lock an open file until it is closed. Returns whether that worked; also where the file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True
