"""The place where a task is worked on: its sources, a spool folder on this machine, and the way to its results."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperacuity import formats
from hyperacuity.cluster.manifest import Plan, PlannedFile
from hyperacuity.cluster.spool import spool_folder
from hyperacuity.errors import BadOutput, DamagedFile, HyperacuityError, UnsupportedFormat, UsageError
from hyperacuity.storage import storing
from hyperacuity.stores import join, name_of, open_store, parent_of
from hyperacuity.task import Outcome, Progress, Stop, Task
from hyperacuity.tasks import Observer, Upscalers, report_work


class Bench:
    """What a kind of task works with.

    Args:
        plan: The plan.
        spool: An empty folder on a disk of this machine.
        upscalers: Open models.
        stop: Ends the work.
        observer: Receives reports of files.
        sources: Copies of remote sources that other tasks may need again; without it each task fetches its own.

    Attributes:
        plan, spool, upscalers, stop, observer: The same.
    """

    def __init__(
        self,
        plan: Plan,
        spool: Path,
        upscalers: Upscalers | None = None,
        stop: Stop | None = None,
        observer: Observer | None = None,
        sources: SourceCache | None = None,
    ) -> None:
        self.plan, self.spool, self._sources = plan, spool, sources
        self.upscalers, self.stop, self.observer = upscalers or Upscalers(), stop or Stop(), observer or Observer()
        self._names: dict[str, str] = {}

    def source(self, file: PlannedFile) -> Path:
        """Returns the source of a file as a local path, after a check that it is still the one that was planned.

        Raises:
            UsageError: It has changed, or is missing.
        """
        store = open_store(file.source)
        entry = store.find(file.source)
        if entry is None:
            raise UsageError(f"{file.source} is missing; it was there when the plan was made")
        if tuple(entry.identity()) != file.identity:
            raise UsageError(f"{file.source} has changed since the plan was made; plan again")
        if store.local:
            return Path(file.source)
        if self._sources is not None:
            path = self._sources.fetch(file)
            self._names[str(path)] = file.source
            return path
        path = self._place("source", file.source)
        store.fetch(file.source, path)
        return path

    def target(self, file: PlannedFile) -> Path:
        """Returns a local path for the result of a file, with the name of its target."""
        return self._place("target", file.target)

    def report(self, request: Task, work: Callable[[Callable[[Progress], None]], Outcome]) -> Outcome:
        """Returns the outcome of work on a part of a request, with its errors and warnings as `tasks.run` has them.

        Args:
            request: The request, with local paths.
            work: The work, given a function that takes its progress.
        """
        observer = self.observer
        return report_work(request, observer, lambda: work(lambda progress: observer.progress(request, progress)))

    def publish(self, path: Path, file: PlannedFile) -> None:
        """Verify a result and put it in its place, in one atomic step; one that is there stays.

        Samples and other files of its folder are put next to it before: a task is done if its result is there.

        Args:
            path: The result, in a folder of its own, see `target`.
            file: What it is the result of.

        Raises:
            BadOutput: It cannot be read back.
        """
        _verify(path)
        if self.plan.is_finished(file):
            return
        try:
            publish_with_companions(path, file.target, self.plan.digest)
        except HyperacuityError:
            if not self.plan.is_finished(file):  # another worker may have published it at the same moment
                raise

    def put_part(self, path: Path, number: int) -> None:
        """Put the intermediate result of a task in its place, in one atomic step."""
        self.plan.store.publish(path, self.plan.part(number), self.plan.digest)

    def request(self, file: PlannedFile) -> Task:
        """Returns the request for a file with local paths, as `hyperacuity upscale` would get it on this machine."""
        source, target = str(self.source(file)), str(self.target(file))
        return replace(self.plan.request(file), source=source, target=target, force=True)

    def part(self, number: int) -> Path:
        """Returns the intermediate result of a task as a local path.

        Raises:
            UsageError: It is missing.
        """
        location = self.plan.part(number)
        if self.plan.store.local:
            if not Path(location).exists():
                raise UsageError(f"the result of task {number} is missing")
            return Path(location)
        path = self._place("parts", location)
        self.plan.store.fetch(location, path)
        return path

    def remove_parts(self, first: int, end: int) -> None:
        """Remove intermediate results that nothing needs any more."""
        for number in range(first, end):
            self.plan.store.remove(self.plan.part(number))

    def original(self, outcome: Outcome, file: PlannedFile) -> Outcome:
        """Returns an outcome in whose texts the locations of the plan stand in place of local ones."""
        named = Outcome.from_json(_renamed(outcome.to_json(), self._names | {str(self.spool): "the spool folder"}))
        return replace(named, source=file.source, target=file.target)

    def clear(self) -> None:
        """Remove all files of the spool folder."""
        self._names.clear()
        for path in self.spool.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _place(self, folder: str, location: str) -> Path:
        path = self.spool / folder / name_of(location)
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._names[str(path)] = location
        if folder == "target":
            self._names[str(path.parent)] = parent_of(location)
        return path


def publish_with_companions(path: Path, location: str, mark: str) -> None:
    """Put a result in its place in a store, after the other files of its folder, which are put next to it.

    Args:
        path: The result, in a folder of its own.
        location: Its place.
        mark: See `Store.publish`.
    """
    store, folder = open_store(location), parent_of(location)
    for each in sorted(path.parent.iterdir()):
        if each != path:
            store.publish(each, join(folder, each.name), mark)
    store.publish(path, location, mark)


class SourceCache:
    """The last remote source that was fetched, for the next segment of the same video. Close it in the end.

    Args:
        base: The folder for spool folders; None for the default.
    """

    def __init__(self, base: Path | None = None) -> None:
        self._base, self._held = base, contextlib.ExitStack()
        self._file: PlannedFile | None = None
        self._path = Path()

    def fetch(self, file: PlannedFile) -> Path:
        """Returns a local copy of the source of a file, whose identity was checked."""
        if self._file is None or (self._file.source, self._file.identity) != (file.source, file.identity):
            self.close()
            folder = self._held.enter_context(spool_folder(self._base))
            self._path = folder / name_of(file.source)
            open_store(file.source).fetch(file.source, self._path)
            self._file = file
        return self._path

    def close(self) -> None:
        """Remove the copy."""
        self._file = None
        self._held.close()


def _verify(path: Path) -> None:
    """Raise `BadOutput` unless a result can be read back; videos are verified when they are muxed."""
    found = any(path.iterdir()) if path.is_dir() else path.is_file() and path.stat().st_size > 0
    if not found:
        raise BadOutput(f"{path.name}: the result is empty")
    if path.is_file() and formats.knows(path):
        try:
            # One of more pixels than are read by default is not refused.
            with contextlib.suppress(UnsupportedFormat), formats.read(path):
                pass
        except DamagedFile as error:
            raise BadOutput(f"{path.name}: the result cannot be read back") from error


def _renamed(content: Any, names: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _renamed(value, names) for key, value in content.items()}
    if isinstance(content, list):
        return [_renamed(value, names) for value in content]
    if isinstance(content, str):
        for path, location in names.items():
            content = content.replace(path, location)
    return content
