"""`hyperacuity upscale`: files, folders and pipes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperacuity.cli import options as shared
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
from hyperacuity.cli.values import seconds, texts
from hyperacuity.errors import UsageError
from hyperacuity.size import Size, size_suffix
from hyperacuity.task import ImageOptions, MeasurementOptions, Options, Stopped, Task, VideoOptions

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
    from hyperacuity.tasks import find_unplanned

    everything = [*(inputs or []), *(more_inputs or [])]
    if not everything:
        raise UsageError("say what to upscale: hyperacuity upscale photo.jpg")
    shared.check_model(model, model_path)
    if explain and (model_path is not None or model not in (None, "auto")):
        raise UsageError("--explain is about the choice of a model: leave -n and -m out")
    if suffix and {"/", "\\"} & set(suffix):
        raise UsageError(f"--suffix {suffix}: a suffix is part of a file name; use -o for another folder")
    if preview is not None and (output is not None or len(everything) > 1):
        raise UsageError("--preview is one image of one video or scene: leave -o and all but one input out")
    options = Options(
        model=model,
        model_path=None if model_path is None else str(model_path),
        engine=engine,
        device=shared.read_device(device, gpu),
        precision=shared.read_precision(precision, fp32),
        tile=shared.read_tile(tile),
        tta=tta,
        strength=strength,
        faithful=shared.read_faithful(faithful),
    )
    videos = VideoOptions(
        codec=codec or "auto",
        crf=crf,
        preset=preset,
        encoder=texts(encoder or [], "tune=film", option="-e"),
        start=None if start is None else str(seconds("--start", start)),
        duration=None if duration is None else str(seconds("--duration", duration)),
        fps=None if fps is None else str(_read_rate(fps)),
        deinterlace=deinterlace,
        strict=strict,
        preview=preview is not None,
    )
    measurement = MeasurementOptions(
        consistent, categorical, cog, allow_generative, plane, through_plane, padding, keep_private
    )
    extension = shared.read_extension(ext)
    template = Task(
        "",
        "",
        Size(scale, width, height, megapixels, fit),
        options,
        ImageOptions(
            quality,
            extension,
            strict,
            *shared.read_trust(
                error_map, error_map_look, error_map_source, calibration, report, single=len(everything) == 1
            ),
            samples,
            seed,
            temperature,
            origin,
        ),
        videos if videos != VideoOptions() else None,
        measurement if measurement != MeasurementOptions() else None,
        force,
        skip_existing,
        explain,
    )
    naming = _naming(suffix, template.size, extension, keep_ending)
    output = output if preview is None else _read_preview(preview)
    tasks = _plan(everything, output, naming, template, recursive)
    unplanned = find_unplanned(everything, output, recursive=recursive)
    raise typer.Exit(_run(tasks, unplanned, jobs, quiet=quiet, as_json=as_json))


def _naming(suffix: str | None, size: Size, extension: str | None, keep_ending: bool) -> Naming:
    from hyperacuity.tasks import Naming

    return Naming(suffix, size_suffix(size), extension, keep_ending)


def _plan(inputs: Sequence[str], output: str | None, naming: Naming, template: Task, recursive: bool) -> list[Task]:
    """The tasks of all inputs: each is the template with a source and a target."""
    from dataclasses import replace

    from hyperacuity.tasks import fit_options, plan

    try:
        routes = plan(inputs, output, naming, recursive=recursive)
    except OSError as error:
        where = error.filename or "the current folder"
        raise UsageError(f"{where}: {(error.strerror or str(error)).lower()}") from error
    return fit_options([replace(template, source=str(route.source), target=str(route.target)) for route in routes])


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
    # They share the options, so invalid ones raise one error and not one for each.
    upscalers.get(clean_options(tasks[0].options))
    display = Display(
        sys.stderr if piped else sys.stdout, len(tasks), quiet=quiet, json=as_json, explain=tasks[0].explain
    )
    with interruptible() as interruption:
        try:
            with display.shown():
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


def _read_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"--fps {text}: give frames per second, such as 25 or 30000/1001")
    return rate
