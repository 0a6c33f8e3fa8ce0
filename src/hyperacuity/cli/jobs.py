"""Which file becomes which: found out, and checked, before any work starts."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import formats
from hyperacuity.errors import HyperacuityError, UsageError
from hyperacuity.formats.video.patterns import is_pattern

PIPE = Path("-")


@dataclass(frozen=True)
class Job:
    """One file to upscale, and where to; `PIPE` for standard input or output."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Naming:
    """How results are called: the given suffix, or the size's own where the name would be the input's."""

    suffix: str | None
    default: str
    extension: str | None

    def of(self, source: Path, folder: Path) -> Path:
        """The path in `folder` for the result of `source`."""
        extension = self.extension or _ending(source)
        beside = folder.resolve() == source.parent.resolve()
        suffix = self.suffix if self.suffix is not None else self.default if beside else ""
        return folder / f"{source.stem}{suffix}{extension}"


def plan(inputs: Sequence[str], output: str | None, naming: Naming, *, recursive: bool) -> list[Job]:
    """The jobs that a command line asks for.

    inputs: files, folders (their pictures; with `recursive` those of all folders below, the tree being kept),
        patterns such as "*.jpg", or "-". output: a file, a folder, "-", or None for "beside the input".

    What folders hold is not upscaled where its name is hidden (".photo.jpg"), where it lies in the folder for the
    results, or where it is the result that another file there would have: such are of an earlier run.

    Raises `UsageError` when an input does not exist, nothing is found, two results would be one file, or a result
    would be one of the inputs.
    """
    if output == "":
        raise UsageError("-o is empty: name a file, a folder, or - for a pipe")
    found: dict[Path, Path | None] = {}
    for name in inputs:
        for source, root in _find(name, recursive, output):
            found.setdefault(source, root)
    if not found:
        raise UsageError(
            f"no pictures in {', '.join(inputs)}" + ("" if recursive else ": add -r for folders in folders")
        )
    if output == "-":
        if len(found) > 1:
            raise UsageError(f"{len(found)} pictures cannot go into one pipe: give a folder with -o")
        return [Job(source, PIPE) for source in found]
    several = len(found) > 1 or any(root is not None for root in found.values())
    jobs = [Job(source, _target(source, root, output, naming, several)) for source, root in found.items()]
    results = {job.target.resolve() for job in jobs if job.target.resolve() != job.source.resolve()}
    jobs = [job for job in jobs if found[job.source] is None or job.source.resolve() not in results]
    _check(jobs)
    return jobs


def _ending(source: Path) -> str:
    """The ending for a result: the source's own, else the one that fits its content."""
    if formats.knows(source) or formats.names_video(source):
        return source.suffix
    if formats.is_video(source):
        return ".mkv"  # which holds whatever there is
    try:
        with formats.read(source) as opened:
            return opened.suffix
    except HyperacuityError:
        return ".png"  # it will be said in its turn what is wrong with this file


def _find(name: str, recursive: bool, output: str | None) -> Iterable[tuple[Path, Path | None]]:
    """(picture, the folder it was found in) for one argument."""
    if not name:
        raise UsageError("an input is empty: name a file, a folder, or - for standard input")
    path = Path(name)
    if path == PIPE or path.is_file() or is_pattern(path):
        return [(path, None)]
    if path.is_dir():
        below, unread = _below(path, recursive)
        if path in unread:
            raise UsageError(f"{name} may not be read; check its permissions")
        results = None if output is None else Path(output).resolve()
        if results is not None and path.resolve().is_relative_to(results):
            results = None
        wanted = [file for file in sorted(below) if _wanted(file, path, results)]
        return [(file, path) for file in [*wanted, *unread]]  # in their turn it will be said that they are not read
    # Shells expand patterns; Windows' own does not, and a quoted one is meant for us.
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=recursive)) if Path(match).is_file()]
    if not matches:
        if path.exists():
            raise UsageError(f"{name} is neither a file nor a folder: give what is in it as standard input, by -")
        raise UsageError(f"{name} is a link to nothing" if path.is_symlink() else f"there is no {name}")
    return [(match, None) for match in matches]


def _below(folder: Path, recursive: bool) -> tuple[list[Path], list[Path]]:
    """The files in a folder, or below it; and the folders that may not be read."""
    found: list[Path] = []
    unread: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unread.append(Path(error.filename))):
        found += [Path(parent, name) for name in files]
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
    return found, unread


def _wanted(file: Path, root: Path, results: Path | None) -> bool:
    """Whether a file below the folder `root` is a picture to upscale; `results` is a folder below `root`, or None."""
    return (
        formats.readable(file)
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(root).parts)
        and (results is None or not file.resolve().is_relative_to(results))
    )


def _target(source: Path, root: Path | None, output: str | None, naming: Naming, several: bool) -> Path:
    if output is None:
        return PIPE if source == PIPE else naming.of(source, source.parent)
    folder = Path(output)
    if several or folder.is_dir() or output.endswith(("/", "\\")):
        if folder.is_file():
            raise UsageError(f"{output} is a file, but the results need a folder: give another name with -o")
        if source == PIPE:
            raise UsageError("name the file for standard input: -o FILE, or -o - for a pipe")
        if _names_file(folder) and not folder.is_dir() and not output.endswith(("/", "\\")):
            raise UsageError(f"{output} names one file for several pictures: give a folder, or {output}/ if it is one")
        return naming.of(source, folder / source.parent.relative_to(root) if root else folder)
    if naming.extension is None or folder.suffix.lower() == naming.extension:
        return folder
    if _names_file(folder):
        raise UsageError(f"{output} ends in {folder.suffix} and --ext says {naming.extension}: leave one of them out")
    return Path(output + naming.extension)


def _names_file(path: Path) -> bool:
    return formats.knows(path) or formats.names_video(path)


def _identity(path: Path) -> str:
    """What two names of one file have in common; names that differ in case alone are one on Windows and macOS."""
    whole = str(path.resolve())
    return whole.casefold() if sys.platform in ("win32", "darwin") else whole


def _check(jobs: Sequence[Job]) -> None:
    origin: dict[str, Path] = {}
    sources = {_identity(job.source) for job in jobs if job.source != PIPE}
    for job in jobs:
        if job.target == PIPE:
            continue
        target = _identity(job.target)
        if target in sources:
            raise UsageError(f"{job.target} is an input: give another place with -o, or a --suffix")
        if target in origin:
            raise UsageError(f"{origin[target]} and {job.source} would both become {job.target}: add --ext or --suffix")
        origin[target] = job.source
