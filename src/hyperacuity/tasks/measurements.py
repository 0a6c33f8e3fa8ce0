"""What the tasks of measurements, rasters and medical images, have in common: their options are checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, NamedTuple

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.task import MeasurementOptions, Task, VideoOptions


class MeasurementKind(NamedTuple):
    """What a kind of measurements is called, and what it does not have.

    Attributes:
        what: In words.
        example: The name of a result.
        unused: Fields of `MeasurementOptions` that mean nothing here.
    """

    what: str
    example: str
    unused: tuple[str, ...]


KINDS = {
    "raster": MeasurementKind("a raster", "larger.tif", ("plane", "through_plane", "padding", "keep_private")),
    "volume": MeasurementKind("a medical image", "larger.nii.gz", ("cog",)),
}


class Request(NamedTuple):
    """A task of measurements whose options have been checked.

    Attributes:
        source: A file or a folder.
        target: Likewise.
        options: How it is enlarged.
        preview: Whether only an image of a part is wanted, before and after.
    """

    source: Path
    target: Path
    options: MeasurementOptions
    preview: bool


def check_request(task: Task, source: Path | IO[bytes], target: Path | IO[bytes], kind: str) -> Request:
    """Return what a task asks for.

    Args:
        task: The task.
        source: The path of the source, or the stream in its place.
        target: The path of the target, or the stream in its place.
        kind: A name in `KINDS`.

    Raises:
        UsageError: If the task has options of another kind, or a pipe.
    """
    what, example, unused = KINDS[kind]
    if not (isinstance(source, Path) and isinstance(target, Path)):
        raise UsageError(f"{what} is written into a file, and not into a pipe", Use(output=example))
    if task.image is not None:
        task.image.refuse(f"this is {what}")
    videos = task.video or VideoOptions()
    options = task.measurement or MeasurementOptions()
    given = {
        "videos": replace(videos, strict=False, preview=False).to_json(),
        "other measurements": {name: value for name, value in options.to_json().items() if name in unused},
    }
    for others, names in given.items():
        if names:
            message = f"this is {what}, but options for {others} are given"
            raise UsageError(message, Use(**dict.fromkeys(names, LEAVE_OUT)))
    return Request(source, target, options, videos.preview)


def without_unused(options: MeasurementOptions | None, kind: str) -> MeasurementOptions | None:
    """Return the options without those that mean nothing for a kind."""
    if options is None:
        return None
    defaults = MeasurementOptions()
    return replace(options, **{name: getattr(defaults, name) for name in KINDS[kind].unused})
