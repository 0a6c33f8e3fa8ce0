"""Finds the sources and their targets, and checks them before any work starts."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hyperacuity import formats
from hyperacuity.errors import OTHER, UsageError, Use
from hyperacuity.formats.video.patterns import is_pattern
from hyperacuity.tasks.naming import Naming
from hyperacuity.tasks.pipes import PIPE

_PIPE = Path(PIPE)


class Route(NamedTuple):
    """A source and its target; Path("-") for a pipe."""

    source: Path
    target: Path


def plan(inputs: Sequence[str], output: str | None, naming: Naming, *, recursive: bool) -> list[Route]:
    """Find the requested sources, and a target for each.

    Files in folders are left out if their names are hidden (".photo.jpg"), if they lie in the folder for the results,
    or if they are the target of another source: such a file comes from an earlier run.

    Args:
        inputs: Files, folders, patterns such as "*.jpg", or "-".
        output: A file, a folder, "-", or None for the folder of each source.
        naming: How targets are named.
        recursive: Whether to search subfolders too; their tree is kept.

    Raises:
        UsageError: A source does not exist, none is found, two targets are the same file, or a target is a source.
    """
    if output == "":
        raise UsageError("the output is empty: name a file, a folder, or - for a pipe")
    found: dict[Path, Path | None] = {}
    for name in inputs:
        for source, root in _find(name, recursive, output):
            found.setdefault(source, root)
    if not found:
        cures = () if recursive else (Use(recursive=True),)
        raise UsageError(f"no images or videos in {', '.join(inputs)}", *cures)
    if output == PIPE:
        if len(found) > 1:
            raise UsageError(f"{len(found)} images cannot be written into one pipe", Use(output=OTHER))
        return [Route(source, _PIPE) for source in found]
    several = len(found) > 1 or any(root is not None for root in found.values())
    routes = [
        Route(source, naming.find_target(source, root, output, several=several)) for source, root in found.items()
    ]
    targets = {route.target.resolve() for route in routes if route.target.resolve() != route.source.resolve()}
    routes = [route for route in routes if found[route.source] is None or route.source.resolve() not in targets]
    _check(routes)
    return routes


def _find(name: str, recursive: bool, output: str | None) -> Iterable[tuple[Path, Path | None]]:
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
    return [(match, None) for match in matches]


def _find_in_folder(name: str, folder: Path, recursive: bool, output: str | None) -> list[tuple[Path, Path | None]]:
    files, unread = _list(folder, recursive)
    if folder in unread:
        raise UsageError(f"{name} may not be read; check its permissions")
    results = None if output is None else Path(output).resolve()
    if results is not None and folder.resolve().is_relative_to(results):
        results = None
    wanted = [file for file in sorted(files) if _is_wanted(file, folder, results)]
    return [(path, folder) for path in [*wanted, *unread]]  # the task of each unreadable folder will report it


def _list(folder: Path, recursive: bool) -> tuple[list[Path], list[Path]]:
    """The files in a folder, or below it; and the folders that may not be read."""
    found: list[Path] = []
    unread: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unread.append(Path(error.filename))):
        found += [Path(parent, name) for name in files]
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
    return found, unread


def _is_wanted(file: Path, root: Path, results: Path | None) -> bool:
    """Whether a file below the folder `root` is a source; `results` is a folder below `root`, or None."""
    return (
        formats.readable(file)
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(root).parts)
        and (results is None or not file.resolve().is_relative_to(results))
    )


def _identify(path: Path) -> str:
    """A key that is equal for all names of one file; Windows and macOS ignore case."""
    whole = str(path.resolve())
    return whole.casefold() if sys.platform in ("win32", "darwin") else whole


def _check(routes: Sequence[Route]) -> None:
    origin: dict[str, Path] = {}
    sources = {_identify(route.source) for route in routes if route.source != _PIPE}
    for route in routes:
        if route.target == _PIPE:
            continue
        target = _identify(route.target)
        if target in sources:
            raise UsageError(f"{route.target} is an input", Use(output=OTHER), Use(suffix=OTHER))
        if target in origin:
            raise UsageError(
                f"{origin[target]} and {route.source} would both become {route.target}",
                Use(ext=OTHER),
                Use(suffix=OTHER),
            )
        origin[target] = route.source
