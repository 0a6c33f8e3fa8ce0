"""Finds the sources and their targets, and checks them before any work starts."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hyperacuity.errors import LEAVE_OUT, OTHER, Cure, UsageError, Use
from hyperacuity.formats.dicom.recognition import accepts as is_dicom
from hyperacuity.formats.expected import Expected, classify, is_clutter, is_system_file, walk
from hyperacuity.formats.video.patterns import is_pattern
from hyperacuity.storage import real_path
from hyperacuity.task import Task
from hyperacuity.tasks.kinds import find_kind
from hyperacuity.tasks.measurements import KINDS as MEASUREMENTS
from hyperacuity.tasks.measurements import without_unused
from hyperacuity.tasks.naming import Naming, find_windows_fault
from hyperacuity.tasks.pipes import PIPE

_PIPE = Path(PIPE)


class Route(NamedTuple):
    """A source and its target; Path("-") for a pipe."""

    source: Path
    target: Path


class Unplanned(NamedTuple):
    """What inputs name and no task does, although nothing is wrong with it.

    Attributes:
        unexpected: Files among several inputs that are neither images nor videos, such as those that "photos/*" names.
        unsearched: Folders with images or videos in the folders that are searched, if `recursive` is not requested.
    """

    unexpected: list[Path]
    unsearched: list[Path]


def find_unplanned(inputs: Sequence[str], output: str | None, *, recursive: bool) -> Unplanned:
    """Find what `plan` passes over and should be mentioned; the arguments are those of `plan`."""
    aside = _unexpected(inputs)
    unexpected = [
        Path(name) for name in dict.fromkeys(inputs) if name in aside and not is_clutter(Path(Path(name).name))
    ]
    results = None if output is None else real_path(Path(output))
    unsearched = []
    for folder in [Path(name) for name in inputs if not recursive and name and Path(name).is_dir()]:
        for below in sorted(path for path in folder.iterdir() if path.is_dir() and not is_clutter(Path(path.name))):
            if real_path(below) != results and any(_is_wanted(path, None) for path in walk(below, recursive=False)):
                unsearched.append(below)
    return Unplanned(unexpected, unsearched)


def plan(inputs: Sequence[str], output: str | None, naming: Naming, *, recursive: bool) -> list[Route]:
    """Find the requested sources, and a target for each.

    In a folder these are all images and videos, also those of formats that are not read: their tasks report it. Files
    are passed over if a person would not expect them (see `formats.expected`), if they lie in the folder for the
    results, or if they are the target of another source: such a file comes from an earlier run.

    Args:
        inputs: Files, folders, patterns such as "*.jpg", or "-".
        output: A file, a folder, "-", or None for the folder of each source.
        naming: How targets are named. Where sources are both images and videos, an extension counts for those that can
            have it.
        recursive: Whether to search subfolders too; their tree is kept.

    Raises:
        UsageError: A source does not exist, none is found, two targets are the same file, or a target is a source.
    """
    if output == "":
        raise UsageError("the output is empty: name a file, a folder, or - for a pipe")
    found = _find_all(inputs, output, recursive=recursive)
    if output == PIPE:
        if len(found) > 1:
            raise UsageError(f"{len(found)} images cannot be written into one pipe", Use(output=OTHER))
        return [Route(source, _PIPE) for source in found]
    routes = _name(found, output, naming)
    _check(routes)
    repeated = _find_repeated(routes)
    if repeated is not None:
        cures = _alternatives(found, output, naming)
        raise UsageError(f"{repeated[0]} and {repeated[1]} would both become {repeated[2]}", *cures)
    return routes


def _kind_of(task: Task) -> str:
    return find_kind(Path(task.source), Path(task.target)) if task.source != PIPE else ""


def fit_options(tasks: Sequence[Task], kind_of: Callable[[Task], str] = _kind_of) -> list[Task]:
    """Leave out, where there are tasks for images and for videos, the options of the other kind of each task.

    Args:
        tasks: The tasks.
        kind_of: Returns the kind of a task, "" if it is not known; by the content of its source if not given.
    """
    kinds = [kind_of(task) for task in tasks]
    if len({*kinds}) < 2:
        return list(tasks)
    fitted = []
    for each, kind in zip(tasks, kinds, strict=True):
        task = each
        if kind in MEASUREMENTS:
            task = replace(task, image=None, video=None, measurement=without_unused(task.measurement, kind))
        elif kind:
            of_images = kind == "image"
            images, videos = (task.image, None) if of_images else (None, task.video)
            task = replace(task, image=images, video=videos, measurement=None)
        fitted.append(task)
    return fitted


def _find_all(inputs: Sequence[str], output: str | None, *, recursive: bool) -> dict[Path, Path | None]:
    """All sources, each with the folder in which it was found."""
    found: dict[str, tuple[Path, Path | None]] = {}
    unexpected = _unexpected(inputs)
    for name in [name for name in inputs if name not in unexpected]:
        for source, root in _find(name, recursive, output):
            found.setdefault(PIPE if source == _PIPE else os.path.abspath(source), (source, root))
    if not found:
        below = not recursive and any(_find(name, True, output) for name in inputs)
        cures = (Use(recursive=True),) if below else ()
        raise UsageError(f"no images or videos in {', '.join(inputs)}", *cures)
    return dict(found.values())


def _unexpected(inputs: Sequence[str]) -> set[str]:
    """The inputs that are not expected to be enlarged, unless there are no others: a shell expands "photos/*"."""
    found = {
        name
        for name in inputs
        if is_system_file(Path(name)) or (Path(name).is_file() and classify(Path(name)) is Expected.NOTHING)
    }
    return found if len(found) < len({*inputs}) else set()


def _name(found: Mapping[Path, Path | None], output: str | None, naming: Naming) -> list[Route]:
    """The routes of all sources, without those that are results of others."""
    several = len(found) > 1 or any(root is not None for root in found.values())
    namings = dict.fromkeys(found, naming)
    if several and naming.extension is not None:
        are_videos = {source: source != _PIPE and find_kind(source) == "video" for source in found}
        if len({*are_videos.values()}) > 1:
            namings = {source: naming.of_kind(is_video=is_video) for source, is_video in are_videos.items()}
    routes = [
        Route(source, namings[source].find_target(source, root, output, several=several))
        for source, root in found.items()
    ]
    targets = {real_path(route.target) for route in routes if real_path(route.target) != real_path(route.source)}
    return [route for route in routes if found[route.source] is None or real_path(route.source) not in targets]


def _find(name: str, recursive: bool, output: str | None) -> Sequence[tuple[Path, Path | None]]:
    """The sources that one input names, each with the folder in which it was found."""
    if not name:
        raise UsageError("an input is empty: name a file, a folder, or - for standard input")
    path = Path(name)
    if path == _PIPE or path.is_file() or is_pattern(path):
        return [(path, None)]
    if path.is_dir():
        return _find_in_folder(name, path, recursive, output)
    # Shells expand patterns, but not on Windows and not in quotes.
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=recursive)) if Path(match).is_file()]
    if not matches:
        if path.exists():
            raise UsageError(f"{name} is neither a file nor a folder: pipe its content into standard input, -")
        raise UsageError(f"{name} is a broken link" if path.is_symlink() else f"there is no {name}")
    expected = [match for match in matches if not is_system_file(match) and classify(match) is not Expected.NOTHING]
    return [(match, None) for match in expected or matches]


def _find_in_folder(name: str, folder: Path, recursive: bool, output: str | None) -> list[tuple[Path, Path | None]]:
    results = None if output is None else real_path(Path(output))
    if results is not None and real_path(folder).is_relative_to(results):
        results = None
    wanted: list[tuple[Path, Path | None]] = []
    series: dict[Path, bool] = {}  # whether a folder holds slices of DICOM, which are one source
    for path in walk(folder, recursive=recursive):
        if path == folder:
            raise UsageError(f"{name} may not be read; check its permissions")
        if path.is_file() and is_dicom(path):
            if not series.setdefault(path.parent, False) and _is_wanted(path.parent, results):
                series[path.parent] = True
                wanted.append((path.parent, folder))
        elif _is_wanted(path, results):
            wanted.append((path, folder))
    return wanted


def _is_wanted(path: Path, results: Path | None) -> bool:
    """Whether a file in a folder is a source; `results` is a folder below the one that is searched, or None."""
    if results is not None and real_path(path).is_relative_to(results):
        return False
    if path.is_dir():
        return True  # a series of slices; or it may not be read, which its task will report
    return (path.is_file() or path.is_symlink()) and classify(path) is not Expected.NOTHING


def _identify(path: Path) -> str:
    """A key that is equal for all names of one file; Windows and macOS ignore case."""
    whole = str(real_path(path))
    return whole.casefold() if sys.platform in ("win32", "darwin") else whole


def _check(routes: Sequence[Route]) -> None:
    """Raise an error if a result would replace an input, or has a name that Windows cannot store."""
    sources = {_identify(route.source) for route in routes if route.source != _PIPE}
    for route in routes:
        if route.target == _PIPE:
            continue
        if _identify(route.target) in sources:
            raise UsageError(f"{route.target} is an input", Use(output=OTHER), Use(suffix=OTHER))
        fault = find_windows_fault(route.target.name) if sys.platform == "win32" else None
        if fault is not None:
            raise UsageError(
                f"Windows cannot store {route.target}: it has {fault}", Use(output=OTHER), Use(suffix=OTHER)
            )


def _find_repeated(routes: Iterable[Route]) -> tuple[Path, Path, Path] | None:
    """The first two sources with the same target, and that target; None if there are none."""
    origin: dict[str, Path] = {}
    for source, target in routes:
        if target == _PIPE:
            continue
        first = origin.setdefault(_identify(target), source)
        if first != source:
            return first, source, target
    return None


def _alternatives(found: Mapping[Path, Path | None], output: str | None, naming: Naming) -> list[Cure]:
    """The changes to a request by which no two results have the same name; each has been tried."""
    changes = (
        (Use(ext=LEAVE_OUT), output, replace(naming, extension=None)),
        (Use(keep_ending=True), output, replace(naming, keep_ending=True)),
        (Use(output=LEAVE_OUT), None, naming),
    )
    cures: list[Cure] = []
    for cure, other_output, other_naming in changes:
        if (other_output, other_naming) != (output, naming):
            routes = _name(found, other_output, other_naming)
            sources = {_identify(source) for source in found}
            if _find_repeated(routes) is None and not any(_identify(route.target) in sources for route in routes):
                cures.append(cure)
    return cures
