"""`hyperacuity upscale`: files, folders and pipes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction

import typer

from hyperacuity.cli import options as shared
from hyperacuity.cli.interruption import interruptible
from hyperacuity.cli.options import (
    AllowGenerative,
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
    Ext,
    Force,
    Fp32,
    Fps,
    Gpu,
    Height,
    Inputs,
    Jobs,
    Json,
    Megapixels,
    Model,
    ModelPath,
    MoreInputs,
    Output,
    Precision,
    Preset,
    Preview,
    Quality,
    Quiet,
    Recursive,
    Scale,
    SkipExisting,
    Start,
    Strict,
    Suffix,
    Tile,
    Tta,
    Width,
)
from hyperacuity.cli.streams import source_pipe, target_pipe
from hyperacuity.cli.values import seconds, texts
from hyperacuity.errors import UsageError
from hyperacuity.size import Size
from hyperacuity.task import ImageOptions, MeasurementOptions, Options, Stopped, Task, VideoOptions


def command(
    inputs: Inputs = None,
    more_inputs: MoreInputs = None,
    recursive: Recursive = False,
    scale: Scale = None,
    width: Width = None,
    height: Height = None,
    megapixels: Megapixels = None,
    model: Model = None,
    model_path: ModelPath = None,
    tta: Tta = False,
    output: Output = None,
    suffix: Suffix = None,
    ext: Ext = "auto",
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
) -> None:
    """Make images and videos larger.

    hyperacuity upscale photo.jpg                    writes photo-x2.jpg next to it
    hyperacuity upscale photos -r -s 4 -o larger     a folder, and all folders in it
    hyperacuity upscale video.mp4 -o larger.mp4      a video with its sound, subtitles and chapters
    hyperacuity upscale scene.tif --consistent       a satellite scene, with its place and its values
    hyperacuity upscale - -o - --ext png < a > b     in a pipe
    """
    everything = [*(inputs or []), *(more_inputs or [])]
    if not everything:
        raise UsageError("say what to upscale: hyperacuity upscale photo.jpg")
    shared.check_model(model, model_path)
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
    measurement = MeasurementOptions(consistent, categorical, cog, allow_generative)
    extension = shared.read_extension(ext)
    template = Task(
        "",
        "",
        Size(scale, width, height, megapixels),
        options,
        ImageOptions(quality, extension, strict),
        videos if videos != VideoOptions() else None,
        measurement if measurement != MeasurementOptions() else None,
        force,
        skip_existing,
    )
    tasks = _plan(everything, output if preview is None else str(preview), suffix, extension, template, recursive)
    raise typer.Exit(_run(tasks, jobs, quiet=quiet, as_json=as_json))


def _plan(
    inputs: Sequence[str],
    output: str | None,
    suffix: str | None,
    extension: str | None,
    template: Task,
    recursive: bool,
) -> list[Task]:
    """The tasks of all inputs: each is the template with a source and a target."""
    from dataclasses import replace

    from hyperacuity.api import size_suffix
    from hyperacuity.tasks import Naming, plan

    naming = Naming(suffix, size_suffix(template.size), extension)
    try:
        routes = plan(inputs, output, naming, recursive=recursive)
    except OSError as error:
        where = error.filename or "the current folder"
        raise UsageError(f"{where}: {(error.strerror or str(error)).lower()}") from error
    return [replace(template, source=str(route.source), target=str(route.target)) for route in routes]


def _run(tasks: Sequence[Task], jobs: int, *, quiet: bool, as_json: bool) -> int:
    """Run all tasks and show them. Returns the exit code."""
    from hyperacuity.cli.display import Display
    from hyperacuity.tasks import PIPE, Pipes, Upscalers, batch

    piped = any(task.target == PIPE for task in tasks)
    pipes = Pipes(
        source_pipe() if any(task.source == PIPE for task in tasks) else None, target_pipe() if piped else None
    )
    upscalers = Upscalers()
    upscalers.get(tasks[0].options)  # they share the options, so invalid ones raise one error and not one for each
    display = Display(sys.stderr if piped else sys.stdout, len(tasks), quiet=quiet, json=as_json)
    with interruptible() as interruption:
        try:
            with display.shown():
                outcomes = list(
                    batch(tasks, display, interruption.stop, workers=jobs, pipes=pipes, upscalers=upscalers)
                )
        except Stopped:
            return interruption.code
    display.summarise(outcomes)
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _read_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"--fps {text}: give frames per second, such as 25 or 30000/1001")
    return rate
