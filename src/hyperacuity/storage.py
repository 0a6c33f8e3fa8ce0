"""A file that appears under its name only once it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hyperacuity.errors import UsageError

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


# All that are open, for `abandon`, and the lock without which none is opened.
_open: set[Partial] = set()
_opening = threading.Lock()


def abandon() -> None:
    """Remove every half-written file of this process, which must end then: their writers are not asked."""
    _opening.acquire()  # and never released: nobody shall begin another
    for partial in list(_open):
        with contextlib.suppress(OSError):
            partial.name.unlink()


class Partial:
    """An unbuffered file beside `path` under a hidden name, open for reading and writing.

    `commit` puts it in the place of `path` in one step; `discard` removes it, and does nothing after a commit.
    """

    def __init__(self, path: Path) -> None:
        # A link is written through, as open() would; os.replace alone would put a file in the link's place.
        self.path = Path(os.path.realpath(path))
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
        # File systems allow 255 bytes a name: a long one lends only its start.
        self.name = self.path.with_name(f".{self.path.name[:40]}.{secrets.token_hex(4)}.part")
        with _opening:
            self.file: IO[bytes] = open(self.name, "x+b", buffering=0)  # noqa: SIM115 - closed by commit or discard
            _open.add(self)

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`; unbuffered files may take less than they are offered."""
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.file.write(rest) :]

    def commit(self) -> None:
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.name, self.path)
        _open.discard(self)

    def discard(self) -> None:
        self.file.close()
        if self in _open:
            self.name.unlink(missing_ok=True)
            _open.discard(self)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, which holds all of it once this returns, and what it held before if it fails.

    Raises:
        OSError: As the file system has it; see `storing`.
    """
    partial = Partial(path)
    try:
        partial.write(data)
        partial.commit()
    finally:
        partial.discard()


def may_write(output: Path, source: object, *, force: bool) -> None:
    """Raises `UsageError` where `output` is there already and is not to be overwritten, or is the file `source`."""
    with storing(output):
        if isinstance(source, Path) and output.exists() and source.exists() and output.samefile(source):
            raise UsageError(f"{output} is the input: choose another name")
        if output.exists() and not force:
            raise UsageError(f"{output} exists: choose another name, or overwrite it with force")


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the file system says about writing `path` into a `UsageError` that names the cure."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads what we write has gone: no fault of a file
    except OSError as error:
        if error.errno in _FULL:
            cure = "the disk is full (or a quota is reached); free some space or write to another disk"
        elif error.errno in _FORBIDDEN:
            cure = f"no permission to write in {path.parent}; choose another folder"
        elif error.errno == errno.ENOENT:
            cure = f"the folder {path.parent} does not exist; create it first"
        elif error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
            cure = "a folder stands where a file should, or a file where a folder should; choose another name"
        else:
            cure = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} was not written: {cure}") from error
