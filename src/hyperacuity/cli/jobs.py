"""Which file becomes which: found out, and checked, before any work starts."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import formats
from hyperacuity.errors import UsageError

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
        extension = self.extension or (source.suffix if formats.knows(source) else ".png")
        beside = folder.resolve() == source.parent.resolve()
        suffix = self.suffix if self.suffix is not None else self.default if beside else ""
        return folder / f"{source.stem}{suffix}{extension}"


def plan(inputs: Sequence[str], output: str | None, naming: Naming, *, recursive: bool) -> list[Job]:
    """The jobs that a command line asks for.

    inputs: files, folders (their pictures; with `recursive` those of all folders below, the tree being kept),
        patterns such as "*.jpg", or "-". output: a file, a folder, "-", or None for "beside the input".

    Raises `UsageError` when an input does not exist, nothing is found, two results would be one file, or a result
    would be one of the inputs.
    """
    found = [(source, root) for name in inputs for source, root in _find(name, recursive)]
    if not found:
        raise UsageError(
            f"no pictures in {', '.join(inputs)}" + ("" if recursive else ": add -r for folders in folders")
        )
    if output == "-":
        if len(found) > 1:
            raise UsageError(f"{len(found)} pictures cannot go into one pipe: give a folder with -o")
        return [Job(found[0][0], PIPE)]
    several = len(found) > 1 or any(root is not None for _, root in found)
    jobs = [Job(source, _target(source, root, output, naming, several)) for source, root in found]
    _check(jobs)
    return jobs


def _find(name: str, recursive: bool) -> Iterable[tuple[Path, Path | None]]:
    """(picture, the folder it was found in) for one argument."""
    path = Path(name)
    if path == PIPE or path.is_file():
        return [(path, None)]
    if path.is_dir():
        below = path.rglob("*") if recursive else path.glob("*")
        return [(file, path) for file in sorted(below) if file.is_file() and formats.knows(file)]
    # Shells expand patterns; Windows' own does not, and a quoted one is meant for us.
    matches = sorted(glob.glob(name, recursive=recursive))
    if not matches:
        raise UsageError(f"there is no {name}")
    return [(Path(match), None) for match in matches if Path(match).is_file()]


def _target(source: Path, root: Path | None, output: str | None, naming: Naming, several: bool) -> Path:
    if output is None:
        return PIPE if source == PIPE else naming.of(source, source.parent)
    folder = Path(output)
    if several or folder.is_dir() or output.endswith(("/", "\\")):
        if folder.is_file():
            raise UsageError(f"{output} is a file, but the results need a folder: give another name with -o")
        if source == PIPE:
            raise UsageError("name the file for standard input: -o FILE, or -o - for a pipe")
        return naming.of(source, folder / source.parent.relative_to(root) if root else folder)
    if not folder.suffix and naming.extension:
        return folder.with_suffix(naming.extension)
    return folder


def _check(jobs: Sequence[Job]) -> None:
    origin: dict[Path, Path] = {}
    sources = {job.source.resolve() for job in jobs if job.source != PIPE}
    for job in jobs:
        if job.target == PIPE:
            continue
        target = job.target.resolve()
        if target in sources:
            raise UsageError(f"{job.target} is an input: give another place with -o, or a --suffix")
        if target in origin:
            raise UsageError(f"{origin[target]} and {job.source} would both become {job.target}: add --ext or --suffix")
        origin[target] = job.source
