"""The kinds of tasks. To add one: a module with the names of `Kind`, and a line in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from hyperacuity.api import Upscaler
from hyperacuity.task import Outcome, Progress, Stop, Task
from hyperacuity.tasks import image, raster, video


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
}


def find_kind(source: Path | IO[bytes]) -> str:
    """Returns the name in `KINDS` of a source's kind."""
    return next(name for name in reversed(KINDS) if KINDS[name].accepts(source))
