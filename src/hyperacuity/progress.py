"""Rows of a result on their way into a file: shown to others, counted, and stopped on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from hyperacuity.image import Strips
from hyperacuity.task import Progress, Stop


def observe_rows(
    strips: Strips,
    frame: int,
    frames: int,
    observe: Callable[[Progress], None],
    stop: Stop,
    seen: Callable[[NDArray[Any]], None] | None,
) -> Strips:
    """Returns the same rows; between them progress is reported.

    Args:
        strips: The rows of a frame.
        frame: Its number.
        frames: How many there are.
        observe: Gets the progress.
        stop: Checked before each block of rows; `Stopped` is raised if it is set.
        seen: Gets each block of rows; None to skip this.
    """

    def rows() -> Iterator[Any]:
        done = 0
        for block in strips.rows:
            stop.check()
            if seen is not None:
                seen(block)
            yield block
            done += len(block)
            share = (frame + done / strips.header.height) / frames
            observe(Progress(share, frame=frame, frames=frames, pixels=len(block) * strips.header.width))

    return Strips(strips.header, rows())
