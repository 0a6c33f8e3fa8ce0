"""Image tasks: from a file or a pipe to a file or a pipe."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO

from hyperacuity import formats, inspection
from hyperacuity.error_maps import ErrorMapRequest
from hyperacuity.errors import LEAVE_OUT, HyperacuityError, HyperacuityWarning, UsageError, Use
from hyperacuity.inspection import Inspection
from hyperacuity.sampling import SampleRequest, write_samples
from hyperacuity.task import ImageOptions, MeasurementOptions, Outcome, Progress, Stop, Task, VideoOptions
from hyperacuity.trust import ReducedImages, find_calibration, scale_of
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
    checked = _CheckedInput.of_task(options, data)
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
        error_map=checked.error_map(options),
    )
    if isinstance(target, Path):
        outcome = enlarge(target, task.size, force=task.force)
        if options.report is not None:
            checked.report(Path(options.report), task, outcome, upscaler, data)
        checked.warn(task, outcome)
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


class ErrorMapWarning(HyperacuityWarning):
    """The input is not of the kind that the error map is calibrated for."""


@dataclass
class _CheckedInput:
    """What is known about the input where an error map or a report is requested.

    Attributes:
        found: What was measured; None if nothing was, or nothing could be.
        beyond: Whether the input is not of the kind that the error map is calibrated for.
        reduced: Small copies of the images, if there is a report.
    """

    found: Inspection | None = None
    beyond: bool = False
    reduced: list[ReducedImages] = field(default_factory=list)

    @classmethod
    def of_task(cls, options: ImageOptions, data: Path | bytes) -> _CheckedInput:
        """Measure the input if the options need it."""
        if options.error_map is None and options.report is None:
            return cls()
        found = None
        with contextlib.suppress(HyperacuityError):  # opening it raises the error
            found = inspection.inspect(data)
        dirty = found is not None and inspection.decide(found) != "clean"
        return cls(found, dirty and options.calibration is None)

    def error_map(self, options: ImageOptions) -> ErrorMapRequest | None:
        """Returns what to write."""
        if options.error_map is None and options.report is None:
            return None
        path, calibration = (None if name is None else Path(name) for name in (options.error_map, options.calibration))
        return ErrorMapRequest(
            path,
            look=options.error_map_look,
            source=options.error_map_source,
            dirty=self.beyond,
            calibration=calibration,
            reduced=self.reduced.append if options.report else None,
        )

    def report(self, path: Path, task: Task, outcome: Outcome, upscaler: Upscaler, data: Path | bytes) -> None:
        """Write the report."""
        from hyperacuity import reporting

        models = [model for model in upscaler.family if model.card.name in outcome.models]
        general = self._general(task.image or ImageOptions(), outcome)
        content = reporting.describe_result(
            task, outcome, models, self.found, data, beyond=self.beyond, general=general
        )
        reporting.write_report(path, content, self.reduced[0])

    def _general(self, options: ImageOptions, outcome: Outcome) -> bool:
        """Whether the error map was calibrated for models in general."""
        if outcome.expected_errors is None or options.calibration is not None:
            return False
        scale = scale_of(outcome.before, outcome.after)
        return not find_calibration(outcome.models[-1], scale, options.error_map_source).model

    def warn(self, task: Task, outcome: Outcome) -> None:
        """Warn if the error map does not know all errors."""
        if self.beyond and self.found is not None and outcome.expected_errors is not None:
            reason = inspection.describe_reason(self.found)
            message = f"the input is not clean ({reason}), but the error map is calibrated for clean input"
            warnings.warn(ErrorMapWarning(f"{Path(task.source).name}: {message}"), stacklevel=3)
