"""Image tasks: from a file or a pipe to a file or a pipe."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from hyperacuity import api, formats, inspection
from hyperacuity.api import Upscaler
from hyperacuity.errors import LEAVE_OUT, HyperacuityError, UsageError, Use
from hyperacuity.inspection import Inspection
from hyperacuity.task import ImageOptions, Outcome, Progress, Stop, Task, VideoOptions


def accepts(source: Path | IO[bytes]) -> bool:
    """Returns True: see `kinds.KINDS`."""
    return True


def inspect(task: Task, source: Path | IO[bytes]) -> tuple[Inspection | None, Path | IO[bytes]]:
    """Measure one image; see `kinds.Kind.inspect`."""
    if isinstance(source, Path):
        return inspection.inspect(source), source
    data = source.read()
    found = None
    with contextlib.suppress(HyperacuityError):  # the stream is read; `run` gets the same bytes and the same error
        found = inspection.inspect(data)
    return found, io.BytesIO(data)


def run(
    task: Task,
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge one image; see `kinds.Kind.run`."""
    named_video = isinstance(source, Path) and formats.names_video(source)  # one that is not read says better why
    if task.video is not None and replace(task.video, strict=False) != VideoOptions() and not named_video:
        options_of_videos = dict.fromkeys(task.video.to_json(), LEAVE_OUT)
        raise UsageError("this is an image, but options for videos are given", Use(**options_of_videos))
    options = task.image or ImageOptions()
    data = source if isinstance(source, Path) else source.read()
    enlarge = partial(upscaler.file, data, quality=options.quality, strict=options.strict, observe=observe, stop=stop)
    if isinstance(target, Path):
        return enlarge(target, task.size, force=task.force)
    # Formats need seekable files.
    with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
        path = Path(folder, "result" + (options.ending or api.ending_of_content(data)))
        outcome = enlarge(path, task.size)
        with path.open("rb") as file:
            shutil.copyfileobj(file, target)
        target.flush()
        return outcome
