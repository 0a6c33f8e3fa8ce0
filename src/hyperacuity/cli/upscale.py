"""`hyperacuity upscale`: files, folders and pipes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperacuity.cli.interruption import interruptible
from hyperacuity.cli.options import (
    AllowGenerative,
    CalibrationFile,
    Categorical,
    Codec,
    Cog,
    Consistent,
    Crf,
    Deinterlace,
    Device,
    Duration,
    Encoder,
    Engine,
    ErrorMap,
    ErrorMapLook,
    ErrorMapSource,
    Explain,
    Ext,
    Faithful,
    Fit,
    Force,
    Fp32,
    Fps,
    Gpu,
    Height,
    Inputs,
    Jobs,
    Json,
    KeepEnding,
    KeepPrivate,
    Megapixels,
    ModelOrAuto,
    ModelPath,
    MoreInputs,
    Origin,
    Output,
    Padding,
    Plane,
    Precision,
    Preset,
    Preview,
    Quality,
    Quiet,
    Recursive,
    Report,
    Samples,
    Scale,
    Seed,
    SkipExisting,
    Start,
    Strength,
    Strict,
    Suffix,
    Temperature,
    ThroughPlane,
    Tile,
    Tta,
    Width,
)
from hyperacuity.cli.streams import source_pipe, target_pipe
from hyperacuity.errors import UsageError, describe_os_error
from hyperacuity.task import Stopped, Task

if TYPE_CHECKING:
    from hyperacuity.tasks import Naming, Unplanned


def command(
    inputs: Inputs = None,
    more_inputs: MoreInputs = None,
    recursive: Recursive = False,
    scale: Scale = None,
    width: Width = None,
    height: Height = None,
    fit: Fit = False,
    megapixels: Megapixels = None,
    model: ModelOrAuto = None,
    model_path: ModelPath = None,
    strength: Strength = None,
    explain: Explain = False,
    faithful: Faithful = None,
    error_map: ErrorMap = None,
    error_map_look: ErrorMapLook = False,
    error_map_source: ErrorMapSource = "network",
    calibration: CalibrationFile = None,
    report: Report = None,
    samples: Samples = None,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    origin: Origin = None,
    tta: Tta = False,
    output: Output = None,
    suffix: Suffix = None,
    ext: Ext = "auto",
    keep_ending: KeepEnding = False,
    quality: Quality = None,
    force: Force = False,
    skip_existing: SkipExisting = False,
    as_json: Json = False,
    quiet: Quiet = False,
    tile: Tile = "auto",
    engine: Engine = "auto",
    device: Device = "auto",
    gpu: Gpu = None,
    precision: Precision = "auto",
    fp32: Fp32 = False,
    jobs: Jobs = 1,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    encoder: Encoder = None,
    start: Start = None,
    duration: Duration = None,
    fps: Fps = None,
    deinterlace: Deinterlace = False,
    strict: Strict = False,
    preview: Preview = None,
    consistent: Consistent = False,
    categorical: Categorical = False,
    cog: Cog = False,
    allow_generative: AllowGenerative = False,
    plane: Plane = None,
    through_plane: ThroughPlane = 1.0,
    padding: Padding = None,
    keep_private: KeepPrivate = False,
) -> None:
    """Make images and videos larger.

    hyperacuity upscale photo.jpg                    writes photo-x2.jpg next to it
    hyperacuity upscale photos -r -s 4 -o larger     a folder, and all folders in it
    hyperacuity upscale photo.jpg -n vae --samples 5  several possible results, their mean and spread
    hyperacuity upscale video.mp4 -o larger.mp4      a video with its sound, subtitles and chapters
    hyperacuity upscale scene.tif --consistent       a satellite scene, with its place and its values
    hyperacuity upscale - -o - --ext png < a > b     in a pipe
    """
    given = dict(locals())
    from hyperacuity.cli.requests import read_request
    from hyperacuity.tasks import find_unplanned

    request = read_request(given)
    output = output if preview is None else _read_preview(preview)
    tasks = _plan(request.inputs, output, request.naming, request.template, recursive)
    local = [name for name in request.inputs if not _is_stored([name], None)]
    unplanned = find_unplanned(local, output, recursive=recursive)
    raise typer.Exit(_run(tasks, unplanned, jobs, quiet=quiet, as_json=as_json))


def _plan(inputs: Sequence[str], output: str | None, naming: Naming, template: Task, recursive: bool) -> list[Task]:
    """The tasks of all inputs: each is the template with a source and a target."""
    from dataclasses import replace

    from hyperacuity.tasks import fit_options, plan

    if _is_stored(inputs, output):
        return _plan_stored(inputs, output, naming, template, recursive)
    try:
        routes = plan(inputs, output, naming, recursive=recursive)
    except OSError as error:
        where = error.filename or "the current folder"
        raise UsageError(f"{where}: {describe_os_error(error)}") from error
    return fit_options([replace(template, source=str(route.source), target=str(route.target)) for route in routes])


def _is_stored(inputs: Sequence[str], output: str | None) -> bool:
    return any("://" in name for name in (*inputs, output or ""))


def _plan_stored(
    inputs: Sequence[str], output: str | None, naming: Naming, template: Task, recursive: bool
) -> list[Task]:
    """The tasks where inputs or the output are URLs of object stores."""
    from dataclasses import replace

    from hyperacuity.cluster.routes import find_routes, kind_of
    from hyperacuity.stores import is_url, parent_of
    from hyperacuity.tasks import PIPE, fit_options

    if PIPE in (*inputs, output):
        raise UsageError("a pipe and a URL do not go together: name files")
    if output is None and not (len(inputs) == 1 and is_url(inputs[0])):
        raise UsageError("say where the results of several inputs go: -o s3://bucket/folder/")
    place = output if output is not None else parent_of(inputs[0]) + "/"
    routes = find_routes(inputs, place, naming, recursive=recursive)
    return fit_options([replace(template, source=source, target=target) for source, target in routes], kind_of)


def _run(tasks: Sequence[Task], unplanned: Unplanned, jobs: int, *, quiet: bool, as_json: bool) -> int:
    """Run all tasks and show them. Returns the exit code."""
    from hyperacuity.cli.display import Display
    from hyperacuity.inspection import clean_options
    from hyperacuity.tasks import PIPE, Pipes, Upscalers, batch

    piped = any(task.target == PIPE for task in tasks)
    pipes = Pipes(
        source_pipe() if any(task.source == PIPE for task in tasks) else None, target_pipe() if piped else None
    )
    upscalers = Upscalers()
    display = Display(
        sys.stderr if piped else sys.stdout, len(tasks), quiet=quiet, json=as_json, explain=tasks[0].explain
    )
    with interruptible() as interruption:
        # They share the options, so invalid ones raise one error and not one for each.
        upscalers.get(clean_options(tasks[0].options))
        try:
            with display.shown():
                if _is_stored([task.source for task in tasks], tasks[0].target):
                    from hyperacuity.cluster.stored import upscale_stored

                    outcomes = [upscale_stored(task, display, interruption.stop, upscalers) for task in tasks]
                else:
                    outcomes = list(
                        batch(tasks, display, interruption.stop, workers=jobs, pipes=pipes, upscalers=upscalers)
                    )
        except Stopped:
            return interruption.code
    display.summarise(outcomes, unplanned)
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _read_preview(path: Path) -> str:
    from hyperacuity import formats

    if not formats.knows(path):
        raise UsageError(f"--preview {path} does not name an image: give one such as preview.png")
    return str(path)
