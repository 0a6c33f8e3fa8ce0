"""The manifest of a plan: JSON lines, of which the first describes the plan and the last says that it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hyperacuity.errors import DamagedFile, UsageError, Use
from hyperacuity.stores import Entry, join, name_of, open_store, parent_of
from hyperacuity.task import Record, Task

# The version of this format. A manifest of another one is refused.
FORMAT = 1
MANIFEST = "manifest.jsonl"
_DIGITS = 12


@dataclass(frozen=True)
class PlannedFile(Record):
    """A source and its target.

    Attributes:
        source, target: Absolute paths, or URLs.
        identity: Of the source, as `stores.Entry.identity` returned it for the plan.
        template: The index in `PlanHeader.templates` of its request.
        replaces: The identity of a file that the result will replace; () if there was none.
    """

    source: str
    target: str
    identity: tuple[int | str, ...] = ()
    template: int = 0
    replaces: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class PlannedTask(Record):
    """A task of a plan.

    Attributes:
        number: Its number, from 0 on.
        kind: A name from `kinds.table.KINDS`.
        files: What it makes, or makes a part of.
        needs: The first number and the end (exclusive) of the tasks that must be done before; () if there are none.
        data: What else its kind needs to know.
    """

    number: int
    kind: str
    files: tuple[PlannedFile, ...]
    needs: tuple[int, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlanHeader(Record):
    """The first line of a manifest.

    Attributes:
        format: `FORMAT`.
        version: Of Hyperacuity.
        packages: The versions of the packages that decide the result.
        models: The SHA-256 of each model that may be used, by name.
        templates: Requests without source and target.
    """

    format: int
    version: str
    packages: Mapping[str, str]
    models: Mapping[str, str]
    templates: tuple[Task, ...]


class Plan:
    """A manifest, open for reading. Of its tasks only their places in the file are in memory.

    Args:
        location: The folder of the plan, a path or a URL.

    Attributes:
        location: The same.
        header: Its first line.
        digest: Of its content; state of other plans in the same folder is not confused with this one's.

    Raises:
        UsageError: There is no plan, or it is of another version of Hyperacuity.
        DamagedFile: It is cut short or changed.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.store = open_store(location)
        self._lists: dict[str, dict[str, Entry]] | None = None
        manifest = join(location, MANIFEST)
        if self.store.find(manifest) is None:
            raise UsageError(f"{location} has no plan")
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        path = Path(manifest)
        if not self.store.local:
            self._folder = tempfile.TemporaryDirectory(prefix="hyperacuity-plan-")
            path = Path(self._folder.name, MANIFEST)
            self.store.fetch(manifest, path)
        self._file = path.open("rb")
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        damaged = DamagedFile(f"the plan in {self.location} is cut short or damaged; make it anew")
        self._offsets, self._levels = array("Q"), bytearray()
        digest, offset, last = hashlib.sha256(), 0, b""
        for number, line in enumerate(self._file):
            if number == 0:
                self.header = _header(line, self.location)
            elif last and number > 1:
                self._offsets.append(offset - len(last))
                self._levels.append(self._level(last))
            if last:
                digest.update(last)
            last, offset = line, offset + len(line)
        try:
            end = json.loads(last)
            whole = last.endswith(b"\n") and end == {"end": len(self._offsets), "sha256": digest.hexdigest()}
        except (ValueError, AttributeError):
            whole = False
        if not whole:
            raise damaged
        self.digest = str(end["sha256"])[:_DIGITS]

    def _level(self, line: bytes) -> int:
        """How many tasks must be done one after another before this one."""
        if b'"needs"' not in line:
            return 0
        first, end = json.loads(line)["needs"]
        return 1 + max(self._levels[first:end], default=0)

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def levels(self) -> list[list[int]]:
        """The numbers of all tasks: first those that need no others, then those that need these, and so on."""
        found: list[list[int]] = [[] for _ in range(max(self._levels, default=-1) + 1)]
        for number, level in enumerate(self._levels):
            found[level].append(number)
        return found

    def task(self, number: int) -> PlannedTask:
        """Returns a task by its number.

        Raises:
            UsageError: There is no such task.
        """
        if not 0 <= number < len(self):
            raise UsageError(f"there is no task {number}; the plan has {len(self)}, from 0 on")
        self._file.seek(self._offsets[number])
        return PlannedTask.from_json(json.loads(self._file.readline()))

    def request(self, file: PlannedFile) -> Task:
        """Returns the request for a file, as `hyperacuity upscale` would make it."""
        return replace(self.header.templates[file.template], source=file.source, target=file.target)

    def state(self, *names: str) -> str:
        """Returns the location of a file about the state of this plan, such as ("leases", "7")."""
        return join(self.location, self.digest, *names)

    def part(self, number: int) -> str:
        """Returns the location of the intermediate result of a task."""
        return self.state("parts", str(number))

    def is_finished(self, file: PlannedFile) -> bool:
        """Returns whether the result of a file is there."""
        return self.find_result(file) is not None

    def find_result(self, file: PlannedFile) -> Entry | None:
        """Returns the entry of the result of a file; None if it is not there."""
        entry = self._find(file.target)
        return None if entry is None or tuple(entry.identity()) == file.replaces else entry

    def has_part(self, number: int) -> bool:
        """Returns whether the intermediate result of a task is there."""
        return self._find(self.part(number)) is not None

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """Answer questions about results in remote stores from lists, which are fast, but may miss recent results."""
        self._lists = {}
        try:
            yield
        finally:
            self._lists = None

    def _find(self, location: str) -> Entry | None:
        store = open_store(location)
        if self._lists is None or store.local:
            return store.find(location)
        folder = parent_of(location)
        if folder not in self._lists:
            self._lists[folder] = store.list(folder)
        return self._lists[folder].get(name_of(location))

    def close(self) -> None:
        """Close the file, and remove the copy of one that is not local."""
        self._file.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_plan(location: str, header: PlanHeader, tasks: Iterable[PlannedTask], *, force: bool) -> None:
    """Write a manifest.

    Args:
        location: The folder of the plan, a path or a URL.
        header: Its first line.
        tasks: In the order of their numbers.
        force: Whether to replace another plan in this folder.

    Raises:
        UsageError: Another plan is there, or the store refuses.
    """
    store = open_store(location)
    manifest = join(location, MANIFEST)
    with tempfile.TemporaryDirectory(prefix="hyperacuity-plan-") as folder:
        path = Path(folder, MANIFEST)
        digest, count = hashlib.sha256(), -1
        with path.open("wb") as file:
            for record in _records(header, tasks):
                line = _line(record.to_json())
                digest.update(line)
                file.write(line)
                count += 1
            file.write(_line({"end": count, "sha256": digest.hexdigest()}))
        if not force and (found := store.read(manifest)) is not None:
            if found == path.read_bytes():
                return
            raise UsageError(f"{location} has another plan", Use(plan=location + "-2"), Use(force=True))
        store.publish(path, manifest, "plan")


def _records(header: PlanHeader, tasks: Iterable[PlannedTask]) -> Iterable[Record]:
    yield header
    yield from tasks


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _header(line: bytes, location: str) -> PlanHeader:
    import hyperacuity

    try:
        content = json.loads(line)
        version = content["format"], content["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"the plan in {location} is cut short or damaged; make it anew") from error
    if version != (FORMAT, hyperacuity.__version__):
        raise UsageError(
            f"the plan in {location} is of version {version[1]} (format {version[0]}) and this is Hyperacuity "
            f"{hyperacuity.__version__} (format {FORMAT}): all machines and the plan need the same version"
        )
    return PlanHeader.from_json(content)
