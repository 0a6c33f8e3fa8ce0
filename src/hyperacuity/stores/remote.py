"""Object stores and other file systems that fsspec knows."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import math
import os
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

# Seconds for which a request is repeated before the store counts as unreachable, and the variable that changes them.
PATIENCE_VARIABLE = "HYPERACUITY_STORE_PATIENCE"
_PATIENCE = 90.0
# Seconds before the second try of a request; each later pause is twice as long, up to the longest.
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# The share of this time for one try of a small request, and for a whole request once the store counts as unreachable.
_OF_A_TRY, _OF_A_DOUBT = 1 / 3, 1 / 10
# botocore would repeat what s3fs repeats, and wait for connections for minutes in all.
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": {"retries": {"max_attempts": 0}}}}
_ABSENT = (FileNotFoundError, NotADirectoryError)
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "crc32c", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


class RemoteStore(Store):
    """The objects of all URLs of one scheme. Credentials come from the environment, as each package reads it.

    Args:
        scheme: Such as "s3".

    Raises:
        UsageError: `HYPERACUITY_STORE_PATIENCE` is not a positive number, or no package knows the scheme.
        MissingDependency: fsspec, or the package for the scheme, is not installed.
    """

    local = False

    def __init__(self, scheme: str) -> None:
        self._scheme, self._patience = scheme, _read_patience()
        self._pause, self._unreachable = _PAUSE, False
        try:
            fsspec = importlib.import_module("fsspec")
        except ImportError as error:
            raise MissingDependency(f"URLs such as {scheme}:// need pip install 'hyperacuity[cluster]'") from error
        known = importlib.import_module("fsspec.registry").known_implementations.get(scheme, {})
        try:
            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False, **_options(scheme))
        except ImportError as error:
            needed = known.get("err", "the package for it").rstrip(".")
            raise MissingDependency(f"{scheme}:// needs another package: {needed}") from error
        except ValueError as error:
            raise UsageError(f"no package knows the scheme {scheme}://") from error

    def find(self, location: str) -> Entry | None:
        """See `Store.find`."""
        try:
            info = self._ask(location, "read", self._fresh, "info", self._path(location), **self._brief("info"))
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
            data: bytes = self._ask(
                location, "read", self._files.cat_file, self._path(location), **self._brief("cat_file")
            )
        except _ABSENT:
            return None
        return data

    def write(self, location: str, data: bytes) -> None:
        """See `Store.write`."""
        self._ask(location, "write", self._files.pipe_file, self._path(location), data, **self._brief("pipe_file"))

    def create(self, location: str, data: bytes) -> bool:
        """See `Store.create`."""

        def create() -> bool:
            try:
                self._files.pipe_file(self._path(location), data, mode="create", **self._brief("pipe_file"))
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
            self._ask(location, "write", self._files.rm_file, self._path(location), **self._brief("rm_file"))

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

    def answers(self, location: str) -> bool:
        """See `Store.answers`."""
        before, self._unreachable = self._unreachable, True
        try:
            self.find(location)
        except Unreachable:
            return False
        except UsageError:
            self._unreachable = before
        return True

    def _brief(self, name: str) -> dict[str, float]:
        """What limits the time of one try of a small request, for methods of fsspec that can be limited."""
        method = getattr(getattr(self._files, name), "__wrapped__", None)
        return {"timeout": self._wait() * _OF_A_TRY} if inspect.iscoroutinefunction(method) else {}

    def _wait(self) -> float:
        """Seconds for which a request is repeated: fewer once the store did not answer another one."""
        return self._patience * (_OF_A_DOUBT if self._unreachable else 1)

    def _ask(self, location: str, verb: str, ask: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """The answer of the store; requests are repeated where that may help."""
        begun, wait, pause = time.monotonic(), self._wait(), self._pause
        for attempt in itertools.count():
            try:
                answer = ask(*given, **named)
            except _ABSENT:
                self._unreachable = False
                raise
            except (PermissionError, IsADirectoryError, MissingDependency, UsageError) as error:
                raise UsageError(f"{location}: no permission to {verb} there, or no credentials") from error
            except Exception as error:
                if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
                    raise UsageError(f"{location}: there are no credentials for it in the environment") from error
                spent = time.monotonic() - begun
                if attempt and spent > wait:
                    self._unreachable = True
                    # Texts of libraries may hold signed URLs: only the kind of the error is named.
                    reason = f"{verb} failed for {spent:.0f} s, {type(error).__name__}"
                    raise Unreachable(f"{location}: the store cannot be reached ({reason})") from None
                time.sleep(min(pause, wait / 2) * (0.5 + random.random()))
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._unreachable = False
                return answer
        raise AssertionError


def _read_patience() -> float:
    """Seconds from the environment, or the default."""
    text = os.environ.get(PATIENCE_VARIABLE, str(_PATIENCE))
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if math.isfinite(seconds) and seconds > 0:
            return seconds
    raise UsageError(f"{PATIENCE_VARIABLE} is {text!r}, which is not a number of seconds such as {_PATIENCE:g}")


def _options(scheme: str) -> dict[str, Any]:
    """How a package is used, unless the configuration of fsspec says otherwise."""
    own = importlib.import_module("fsspec.config").conf.get(scheme, {})
    return {name: value for name, value in _OPTIONS.get(scheme, {}).items() if name not in own}


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
