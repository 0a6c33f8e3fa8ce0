"""Object stores and other file systems that fsspec knows."""

from __future__ import annotations

import contextlib
import importlib
import random
import secrets
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from hyperacuity.errors import MissingDependency, Unreachable, UsageError
from hyperacuity.stores.locations import join
from hyperacuity.stores.protocol import Entry, Store

# How often a request is tried, and the seconds before the second try; each later one waits twice as long.
# Packages such as s3fs repeat some of them as well.
_TRIES, _PAUSE = 4, 0.2
_ABSENT = (FileNotFoundError, NotADirectoryError)
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "crc32c", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


class RemoteStore(Store):
    """The objects of all URLs of one scheme. Credentials come from the environment, as each package reads it.

    Args:
        scheme: Such as "s3".
        pause: Seconds before the second try of a request.
    """

    local = False

    def __init__(self, scheme: str, *, pause: float = _PAUSE) -> None:
        self._scheme, self._pause = scheme, pause
        try:
            fsspec = importlib.import_module("fsspec")
        except ImportError as error:
            raise MissingDependency(f"URLs such as {scheme}:// need pip install 'hyperacuity[cluster]'") from error
        known = importlib.import_module("fsspec.registry").known_implementations.get(scheme, {})
        try:
            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False)
        except ImportError as error:
            needed = known.get("err", "the package for it").rstrip(".")
            raise MissingDependency(f"{scheme}:// needs another package: {needed}") from error
        except ValueError as error:
            raise UsageError(f"no package knows the scheme {scheme}://") from error

    def find(self, location: str) -> Entry | None:
        """See `Store.find`."""
        try:
            info = self._ask(location, "read", self._fresh, "info", self._path(location))
        except _ABSENT:
            return None
        return _entry(info) if info.get("type") != "directory" else None

    def list(self, folder: str) -> dict[str, Entry]:
        """See `Store.list`."""
        try:
            found = self._ask(folder, "read", self._fresh, "ls", self._path(folder), detail=True)
        except _ABSENT:
            return {}
        return {each["name"].rstrip("/").rpartition("/")[2]: _entry(each) for each in found if each["type"] == "file"}

    def walk(self, folder: str) -> dict[str, Entry]:
        """See `Store.walk`."""
        path = self._path(folder).rstrip("/")
        try:
            found = self._ask(folder, "read", self._fresh, "find", path, detail=True)
        except _ABSENT:
            return {}
        cut = len(path.strip("/")) + 1
        return {name.lstrip("/")[cut:]: _entry(each) for name, each in found.items() if each["type"] == "file"}

    def read(self, location: str) -> bytes | None:
        """See `Store.read`."""
        try:
            data: bytes = self._ask(location, "read", self._files.cat_file, self._path(location))
        except _ABSENT:
            return None
        return data

    def write(self, location: str, data: bytes) -> None:
        """See `Store.write`."""
        self._ask(location, "write", self._files.pipe_file, self._path(location), data)

    def create(self, location: str, data: bytes) -> bool:
        """See `Store.create`."""

        def create() -> bool:
            try:
                self._files.pipe_file(self._path(location), data, mode="create")
            except OSError as error:
                if not (isinstance(error, FileExistsError) or _is_precondition(error)):
                    raise
                # After a failure of the connection, the object that exists may be the one of the try before.
                return self.read(location) == data
            return True

        created: bool = self._ask(location, "write", create)
        return created

    def fetch(self, location: str, target: Path) -> None:
        """See `Store.fetch`."""
        try:
            self._ask(location, "read", self._files.get_file, self._path(location), str(target))
        except _ABSENT as error:
            raise UsageError(f"{location} does not exist") from error

    def publish(self, source: Path, location: str, mark: str) -> None:
        """See `Store.publish`; objects appear as a whole at the end of the transfer."""
        if source.is_dir():
            raise UsageError(f"{location}: a series of slices cannot be written as one object; choose a folder")
        self._ask(location, "write", self._files.put_file, str(source), self._path(location))

    def remove(self, location: str) -> None:
        """See `Store.remove`."""
        with contextlib.suppress(*_ABSENT):
            self._ask(location, "write", self._files.rm_file, self._path(location))

    def sweep(self, folder: str) -> None:
        """See `Store.sweep`; parts of broken uploads are no objects, and a rule of the bucket removes them."""

    def now(self, folder: str) -> float:
        """See `Store.now`."""
        location = join(folder, f"clock-{secrets.token_hex(4)}")
        self.write(location, b".")
        try:
            entry = self.find(location)
            return time.time() if entry is None else entry.modified
        finally:
            self.remove(location)

    def _path(self, location: str) -> str:
        path: str = self._files._strip_protocol(location)
        return path

    def _fresh(self, name: str, *given: Any, **named: Any) -> Any:
        """A question about objects, not answered by what was heard before."""
        self._files.invalidate_cache()
        return getattr(self._files, name)(*given, **named)

    def _ask(self, location: str, verb: str, ask: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """The answer of the store; requests are repeated where that may help."""
        for attempt in range(_TRIES):
            try:
                return ask(*given, **named)
            except _ABSENT:
                raise
            except (PermissionError, IsADirectoryError, MissingDependency, UsageError) as error:
                raise UsageError(f"{location}: no permission to {verb} there, or no credentials") from error
            except Exception as error:
                if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
                    raise UsageError(f"{location}: there are no credentials for it in the environment") from error
                if attempt == _TRIES - 1:
                    # Texts of libraries may hold signed URLs: only the kind of the error is named.
                    raise Unreachable(f"{location}: {verb} failed {_TRIES} times ({type(error).__name__})") from None
                time.sleep(self._pause * 2**attempt * (0.5 + random.random()))
        raise AssertionError


def _is_precondition(error: OSError) -> bool:
    """Whether a store refused a conditional request; s3fs has no error of its own for it."""
    return "precondition" in str(error).lower().replace("-", "").replace(" ", "")


def _entry(info: dict[str, Any]) -> Entry:
    tag = next((str(info[name]).strip('"') for name in _TAGS if info.get(name)), "")
    time_found = next((info[name] for name in _TIMES if info.get(name)), 0.0)
    if isinstance(time_found, str):
        time_found = datetime.fromisoformat(time_found)
    modified = time_found.timestamp() if isinstance(time_found, datetime) else float(time_found)
    return Entry(int(info.get("size") or 0), modified, tag or str(time_found))
