"""Finds sources and their targets, in folders and in remote stores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hyperacuity import formats
from hyperacuity.errors import OTHER, UsageError, Use
from hyperacuity.formats.expected import is_clutter, is_system_file
from hyperacuity.sampling import SamplePaths
from hyperacuity.stores import check, is_url, join, name_of, open_store, parent_of
from hyperacuity.task import Task
from hyperacuity.tasks import Naming, find_kind, plan

# Endings of images of measurements, and of others.
_PERHAPS_MEASURED = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".nii", ".gz", ".dcm")
# Stands for a remote output while names are made: a folder that does not exist, so that nothing in it matters.
_STAND_IN = Path(os.path.abspath(os.sep), "hyperacuity-remote-output")


def find_routes(inputs: Sequence[str], output: str, naming: Naming, *, recursive: bool) -> list[tuple[str, str]]:
    """Find the requested sources, and a target for each; both are absolute paths or URLs.

    Args:
        inputs: Files, folders and patterns, or URLs of objects and folders.
        output: A folder or a file, or the URL of one; a URL of a folder ends with a slash unless there are several
            sources.
        naming: How targets are named.
        recursive: Whether to search subfolders too; their tree is kept.

    Raises:
        UsageError: A source does not exist, none is found, or two targets are the same.
    """
    for each in (*inputs, output):
        check(each)
    remote = [each for each in inputs if is_url(each)]
    routes = _local_routes([each for each in inputs if not is_url(each)], output, naming, recursive, bool(remote))
    found: list[tuple[str, str]] = []  # each remote source, and its path below the output
    for each in remote:
        found += _find_remote(each, recursive=recursive)
    several = len(found) + len(routes) > 1 or any(each.endswith("/") for each in remote)
    for source, below in found:
        routes.append((source, _remote_target(source, below, output, naming, several=several)))
    if not routes:
        raise UsageError(f"no images or videos in {', '.join(inputs)}")
    _refuse_repeated(routes)
    return routes


def kind_of(task: Task) -> str:
    """Returns the kind of a task as in `tasks.KINDS`: by the content of a file, by the name of an object.

    It is "" for objects whose name does not tell whether they are images or measurements.
    """
    if not is_url(task.source):
        return find_kind(Path(task.source), Path(task.target))
    path = Path(task.source)
    if formats.names_video(path):
        return "video"
    return "" if path.suffix.lower() in (*_PERHAPS_MEASURED, "") else "image"


def companions_of(task: Task) -> list[str]:
    """Returns the files that are written next to the result of a task: its samples and their spread."""
    if task.image is None or task.image.samples is None:
        return []
    paths = SamplePaths.next_to(Path(name_of(task.target)), task.image.samples)
    return [join(parent_of(task.target), path.name) for path in (*paths.samples, paths.spread)]


def refuse_existing_companions(task: Task) -> None:
    """Raise `UsageError` if a file that would be written next to the result exists."""
    for companion in companions_of(task):
        if open_store(companion).find(companion) is not None:
            raise UsageError(f"{companion} exists", Use(output=OTHER), Use(force=True))


def _local_routes(
    inputs: Sequence[str], output: str, naming: Naming, recursive: bool, several: bool
) -> list[tuple[str, str]]:
    if not inputs:
        return []
    if not is_url(output):
        folder = output if not several or output.endswith(("/", "\\")) else f"{output}/"
        return [_absolute(*route) for route in plan(inputs, folder, naming, recursive=recursive)]
    folder_wanted = several or output.endswith("/")
    stand_in = f"{_STAND_IN}{os.sep}" if folder_wanted else str(_STAND_IN / name_of(output))
    routes = plan(inputs, stand_in, naming, recursive=recursive)
    base = output if folder_wanted else parent_of(output)
    if not folder_wanted and any(route.target.parent != _STAND_IN for route in routes):
        base = output  # it names a folder: there are several results
        routes = plan(inputs, f"{_STAND_IN}{os.sep}", naming, recursive=recursive)
    return [(os.path.abspath(route.source), join(base, *route.target.relative_to(_STAND_IN).parts)) for route in routes]


def _absolute(source: Path, target: Path) -> tuple[str, str]:
    return os.path.abspath(source), os.path.abspath(target)


def _find_remote(location: str, *, recursive: bool) -> list[tuple[str, str]]:
    """The sources at a URL, each with its path below the URL."""
    store = open_store(location)
    if not location.endswith("/") and store.find(location) is not None:
        return [(location, name_of(location))]
    files = store.walk(location) if recursive else store.list(location)
    names = sorted(name for name in files if _is_wanted(name))
    if not names and not files:
        raise UsageError(f"there is no {location}")
    return [(join(location, name), name) for name in names]


def _is_wanted(name: str) -> bool:
    path = Path(name)
    known = formats.readable(path) or formats.names_video(path)
    return known and not is_clutter(path) and not is_system_file(path)


def _remote_target(source: str, below: str, output: str, naming: Naming, *, several: bool) -> str:
    """The target of a remote source. Its content is not looked at: the ending decides."""
    folder = output.endswith("/") or several or (not is_url(output) and Path(output).is_dir())
    if not folder:
        return output if is_url(output) else os.path.abspath(output)
    path = PurePosixPath(below)
    video = formats.names_video(Path(below))
    extension = naming.of_kind(is_video=video).extension
    if extension is None:
        extension = path.suffix if video or formats.knows(Path(below)) else ".png"
    same = parent_of(source) == output.rstrip("/")
    suffix = naming.suffix if naming.suffix is not None else naming.default if same else ""
    kept = path.suffix if naming.keep_ending and path.suffix.lower() != extension.lower() else ""
    target = join(output, *path.parent.parts, f"{path.stem}{kept}{suffix}{extension}")
    return target if is_url(output) else os.path.abspath(target)


def _refuse_repeated(routes: Sequence[tuple[str, str]]) -> None:
    origin: dict[str, str] = {}
    sources = {source for source, _ in routes}
    for source, target in routes:
        if target in sources:
            raise UsageError(f"{target} is an input", Use(output=OTHER), Use(suffix=OTHER))
        if origin.setdefault(target, source) != source:
            raise UsageError(f"{origin[target]} and {source} would both become {target}", Use(keep_ending=True))
