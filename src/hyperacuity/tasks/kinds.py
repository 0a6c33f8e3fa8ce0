"""The kinds of tasks. To add one: a module with the names of `Kind`, and a line in `KINDS`.

These modules recognise their sources. What does the work (`video`, `raster`, `medical`) is imported by the first task
of a kind, since that takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from hyperacuity import formats
from hyperacuity.inspection import Inspection
from hyperacuity.task import Outcome, Progress, Stop, Task
from hyperacuity.tasks import image, raster, video, volume
from hyperacuity.upscaler import Upscaler


class Kind(Protocol):
    """The interface of a module that implements a kind.

    Attributes:
        MODEL: The model or family for tasks that name none; None for the default of all kinds.
    """

    @property
    def MODEL(self) -> str | None: ...  # noqa: N802 - a constant of a module

    def accepts(self, source: Path | IO[bytes]) -> bool:
        """Returns whether a source is of this kind, judged by its first bytes or by the pattern of its name.

        Args:
            source: A path, or a buffered stream; of a stream only peek (`pipes.peek`).
        """
        ...

    def inspect(self, task: Task, source: Path | IO[bytes]) -> tuple[Inspection | None, Path | IO[bytes]]:
        """Measure a source, so that a model can be chosen for it.

        Args:
            task: The task; its options name no model.
            source: The path of the source, or the stream in its place.

        Returns:
            The measurements, None if this kind or this source gets the default model; and the source from which `run`
            reads, since a stream can be read only once.

        Raises:
            HyperacuityError: The source cannot be read.
        """
        ...

    def run(
        self,
        task: Task,
        upscaler: Upscaler,
        source: Path | IO[bytes],
        target: Path | IO[bytes],
        observe: Callable[[Progress], None],
        stop: Stop,
    ) -> Outcome:
        """Make the result of a task, completely or not at all.

        Args:
            task: The task: its size, its options, and the options of this kind.
            upscaler: The model that the options name.
            source: The path of the source, or the stream in its place.
            target: The path of the target, or the stream in its place.
            observe: Called as the work proceeds.
            stop: Checked as the work proceeds.

        Returns:
            The outcome; the caller fills in the names, the time and the lost metadata.

        Raises:
            HyperacuityError: The task cannot be done.
            Stopped: `stop` was set.
        """
        ...


# A source belongs to the last kind that accepts it. Images come first and accept every source: the errors of reading an
# image explain best what is wrong with a file.
KINDS: dict[str, Kind] = {
    "image": image,
    "video": video,
    "raster": raster,
    "volume": volume,
}


def find_kind(source: Path | IO[bytes], target: Path | IO[bytes] | None = None) -> str:
    """Returns the name in `KINDS` of a source's kind; an animated image is a video if its target is one."""
    name = next(name for name in reversed(KINDS) if KINDS[name].accepts(source))
    if name == "video" or not (isinstance(source, Path) and isinstance(target, Path)):
        return name
    return "video" if formats.names_video(target) and formats.is_animation(source) else name
