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

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats, inspection
from hyperacuity.error_maps import ErrorMapRequest
from hyperacuity.errors import LEAVE_OUT, HyperacuityError, UsageError, Use
from hyperacuity.inspection import Inspection
from hyperacuity.sampling import SampleRequest, write_samples
from hyperacuity.task import ImageOptions, MeasurementOptions, Outcome, Progress, Stop, Task, VideoOptions
from hyperacuity.upscaler import Upscaler

MODEL: str | None = None


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
    if task.measurement is not None and task.measurement != MeasurementOptions():
        names = dict.fromkeys(task.measurement.to_json(), LEAVE_OUT)
        raise UsageError("this is an image, but options for measurements are given", Use(**names))
    options = task.image or ImageOptions()
    data = source if isinstance(source, Path) else source.read()
    samples: list[NDArray[np.float32]] = []
    request = None if options.samples is None else SampleRequest(options.samples, options.seed, options.temperature)
    if request is not None and not isinstance(target, Path):
        raise UsageError("samples are several files, but the result goes to standard output", Use(samples=LEAVE_OUT))
    enlarge = partial(
        upscaler.file if request is None else partial(write_samples, upscaler, request=request),
        data,
        quality=options.quality,
        strict=options.strict,
        observe=observe,
        stop=stop,
        origin=options.origin,
        error_map=_error_map(options, samples.append),
    )
    if isinstance(target, Path):
        outcome = enlarge(target, task.size, force=task.force)
        if options.report is not None:
            _report(Path(options.report), task, outcome, upscaler, data, samples)
        return outcome
    if options.report is not None:
        raise UsageError("a report is about a file, but the result goes to standard output", Use(report=LEAVE_OUT))
    # Formats need seekable files.
    with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
        path = Path(folder, "result" + (options.ending or formats.ending_of_content(data)))
        outcome = enlarge(path, task.size)
        with path.open("rb") as file:
            shutil.copyfileobj(file, target)
        target.flush()
        return outcome


def _error_map(options: ImageOptions, sampled: Callable[[NDArray[np.float32]], None]) -> ErrorMapRequest | None:
    if options.error_map is None and options.report is None:
        return None
    path, calibration = (None if name is None else Path(name) for name in (options.error_map, options.calibration))
    return ErrorMapRequest(
        path, options.error_map_look, options.error_map_source, calibration, sampled if options.report else None
    )


def _report(
    path: Path,
    task: Task,
    outcome: Outcome,
    upscaler: Upscaler,
    data: Path | bytes,
    samples: list[NDArray[np.float32]],
) -> None:
    from hyperacuity import reporting

    found = None
    with contextlib.suppress(HyperacuityError):
        found = inspection.inspect(data)
    cards = [model.card for model in upscaler.family if model.card.name in outcome.models]
    content = reporting.describe_result(task, outcome, cards, found, data)
    reporting.write_report(path, content, Path(outcome.target), samples[0] if samples else None)
