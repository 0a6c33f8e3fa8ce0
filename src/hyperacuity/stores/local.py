"""Folders of the file system, also on a network."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path

from hyperacuity.errors import UsageError, describe_os_error
from hyperacuity.storage import storing, write_whole
from hyperacuity.stores.protocol import Entry, Store

# Errors of file systems without hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


class LocalStore(Store):
    """Files by their paths."""

    local = True

    def find(self, location: str) -> Entry | None:
        """See `Store.find`."""
        try:
            status = os.stat(location)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UsageError(f"{location} may not be read: {describe_os_error(error)}") from error
        return _entry(status)

    def list(self, folder: str) -> dict[str, Entry]:
        """See `Store.list`."""
        try:
            with os.scandir(folder) as found:
                return {each.name: _entry(each.stat()) for each in found if _is_listed(each)}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def walk(self, folder: str) -> dict[str, Entry]:
        """See `Store.walk`."""
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): _entry(path.stat()) for path in paths}

    def read(self, location: str) -> bytes | None:
        """See `Store.read`."""
        try:
            return Path(location).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"{location} may not be read: {describe_os_error(error)}") from error

    def write(self, location: str, data: bytes) -> None:
        """See `Store.write`."""
        with storing(Path(location)):
            Path(location).parent.mkdir(parents=True, exist_ok=True)
            write_whole(Path(location), data)

    def create(self, location: str, data: bytes) -> bool:
        """See `Store.create`."""
        path = Path(location)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_whole(temporary, data)
                os.link(temporary, path)  # fails if the name exists, also on network file systems
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._create_directly(path, data)
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def _create_directly(self, path: Path, data: bytes) -> bool:
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def fetch(self, location: str, target: Path) -> None:
        """See `Store.fetch`."""
        if not os.path.exists(location):
            raise UsageError(f"{location} does not exist")
        with storing(target):
            shutil.copyfile(location, target)

    def publish(self, source: Path, location: str, mark: str) -> None:
        """See `Store.publish`."""
        path = Path(location)
        prefix = f".{path.name[:40]}.{mark}."
        temporary = path.with_name(f"{prefix}{secrets.token_hex(4)}.part")
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                if source.is_dir():
                    shutil.copytree(source, temporary)
                else:
                    shutil.copyfile(source, temporary)
                    with temporary.open("r+b") as file:
                        os.fsync(file.fileno())
                os.replace(temporary, path)
            except FileNotFoundError:
                # Another worker has published the same result and removed this file as left over.
                if not path.exists():
                    raise
            finally:
                _remove(temporary)
        for left in path.parent.iterdir():
            if left.name.startswith(prefix) and left.name.endswith(".part"):
                _remove(left)

    def remove(self, location: str) -> None:
        """See `Store.remove`."""
        with storing(Path(location)):
            Path(location).unlink(missing_ok=True)

    def sweep(self, folder: str) -> None:
        """See `Store.sweep`."""
        for path in Path(folder).glob(".*.part"):
            _remove(path)

    def answers(self, location: str) -> bool:
        """See `Store.answers`; errors of the file system are those of single files."""
        return True

    def now(self, folder: str) -> float:
        """See `Store.now`."""
        path = Path(folder, f".clock.{secrets.token_hex(4)}.part")
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            try:
                return path.stat().st_mtime
            finally:
                path.unlink(missing_ok=True)


def _entry(status: os.stat_result) -> Entry:
    return Entry(status.st_size, status.st_mtime, str(status.st_mtime_ns))


def _is_listed(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        return not entry.name.startswith(".") and entry.is_file()
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
