"""`hyperacuity evaluate`: measures the quality of models, next to the figures of the papers."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hyperacuity.cli import options
from hyperacuity.cli.options import Device, Engine, Force, ModelPaths, Models, Tta
from hyperacuity.cli.values import seconds
from hyperacuity.cli.warning_lines import warnings_above
from hyperacuity.cli.wording import describe_cure
from hyperacuity.errors import LEAVE_OUT, UsageError, Use, worded

if TYPE_CHECKING:
    from hyperacuity.evaluate import EvaluationRow, EvaluationSetting
    from hyperacuity.evaluate.finished import FinishedResults
    from hyperacuity.evaluate.sets import ImageSet
    from hyperacuity.evaluate.video_sets import FrameSelection, VideoSet
    from hyperacuity.metrics import Metric
    from hyperacuity.upscaler import Upscaler

DATA, MEASURES, RESULTS = "Data", "Metrics", "Results"


class SeveralValues(TyperCommand):
    """Lets an option take several values: `--scale 2 3 4` means `--scale 2 --scale 3 --scale 4`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        several = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        spread: list[str] = []
        option = ""
        for word in args:
            if word.startswith("-") and word != "-":
                option = word if word in several else ""
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


def command(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="Folders of images, or videos; each is a test set with the name of its folder or file.",
            rich_help_panel=DATA,
        ),
    ],
    lr: Annotated[
        list[Path] | None,
        typer.Option(
            "--lr",
            help="Folders of their LR images, in the same order; made by MATLAB's bicubic if missing.",
            rich_help_panel=DATA,
        ),
    ] = None,
    model: Models = None,
    model_path: ModelPaths = None,
    scale: Annotated[
        list[int] | None,
        typer.Option("-s", "--scale", min=2, help="Scales to measure; 2 if missing.", rich_help_panel=DATA),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help=f"{', '.join(options.PROTOCOLS)}.", rich_help_panel=MEASURES)
    ] = "classic",
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(options.METRICS)}; by default {' '.join(options.DEFAULT_METRICS)}, flicker of videos.",
            rich_help_panel=MEASURES,
        ),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Largest number of frames of a video.", rich_help_panel=DATA)
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="Measure every N-th frame of a video.", rich_help_panel=DATA)] = 1,
    start: Annotated[
        str | None, typer.Option(help="Begin at this time of a video, such as 1:30.", rich_help_panel=DATA)
    ] = None,
    result: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folders of finished images, or finished videos, to compare with those of --data.",
            rich_help_panel=DATA,
        ),
    ] = None,
    lpips_weights: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="SQUEEZENET LINEAR",
            help="For lpips: torchvision's squeezenet1_1 and the authors' weights/v0.1/squeeze.pth.",
            rich_help_panel=MEASURES,
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="published: add the figures of the papers.", rich_help_panel=RESULTS)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the table to this CSV file.", rich_help_panel=RESULTS)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the table to this Markdown file.", rich_help_panel=RESULTS)
    ] = None,
    per_image: Annotated[
        Path | None, typer.Option(help="Write the figures of every image to this CSV file.", rich_help_panel=RESULTS)
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder for crops side by side: LR, bicubic, each model, HR, with the first metric.",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="PNG, SVG or PDF: the first metric against parameters and against time, compared with bicubic.",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    force: Force = False,
    engine: Engine = "auto",
    device: Device = "auto",
    tta: Tta = False,
) -> None:
    """Measure the quality of models as papers do.

    hyperacuity evaluate -n fsrcnn bicubic --data Set5 Set14 --scale 2 --against published
    hyperacuity evaluate -n acute-50k bicubic --data video.mp4 --frames 100
    hyperacuity evaluate --result larger --data originals --scale 4
    hyperacuity evaluate --result larger.mp4 --data original.mp4
    """
    from hyperacuity import evaluate as evaluation
    from hyperacuity.evaluate import plots, report, sheets, video_sets
    from hyperacuity.metrics import DEFAULT_METRICS, DEFAULT_VIDEO_METRICS
    from hyperacuity.metrics.protocols import find_protocol
    from hyperacuity.metrics.selection import select_metrics
    from hyperacuity.storage import as_utf8

    how, scales = find_protocol(protocol), list(dict.fromkeys(scale or [2]))
    _check(result or [], data, lr or [], against, scales)
    weights = None if lpips_weights is None else {"lpips": lpips_weights}
    image_metrics = select_metrics(metrics or DEFAULT_METRICS, weights)
    video_metrics = select_metrics(metrics or DEFAULT_VIDEO_METRICS, weights)
    if plot is not None:
        plots.check_plot(plot)
    upscalers: dict[str, Upscaler] = {}
    if model or model_path or not result:
        upscalers = _load_models(
            model, model_path, engine, device, tta, baseline=images is not None or plot is not None
        )
    for upscaler in upscalers.values():
        for factor in scales:
            evaluation.check_scale(upscaler, factor)
    selection = video_sets.FrameSelection(Fraction(0) if start is None else seconds("--start", start), stride, frames)
    found = [
        _find_set(path, lr_folder, scales, image_metrics, video_metrics, selection)
        for path, lr_folder in itertools.zip_longest(data, lr or [])
    ]
    settings = [
        evaluation.EvaluationSetting(each, factor, how, video_metrics if each.is_video else image_metrics)
        for each in found
        for factor in scales
    ]
    sheet_paths = [sheets.sheet_paths(images, setting) if images else [] for setting in settings]
    left_out = [one for each in found for one in each.left_out]
    for others in _open_finished(result or [], found, scales).values():  # fail before work begins
        left_out += others.left_out
    files = [path for path in (csv, markdown, per_image, plot) if path is not None]
    _check_outputs([*files, *(path for some in sheet_paths for path in some)], images, found, force)

    rows: list[EvaluationRow] = []
    records: list[dict[str, str]] = []
    with _progress(settings) as advance:
        for setting, targets in zip(settings, sheet_paths, strict=True):
            finished = _open_finished(result or [], found, scales)  # again, as a video is read once
            every: dict[str, list[evaluation.Measurement]] = {name: [] for name in (*upscalers, *finished)}
            for n, sample in enumerate(evaluation.measure_images(upscalers, setting, finished)):
                for name, measured in sample.measurements.items():
                    every[name].append(measured)
                records += report.image_records(setting, sample)
                if targets and sample.results:
                    report.store(targets[n], sheets.to_png(sheets.draw_sheet(setting, sample)))
                advance()
            rows += [
                evaluation.summarise(name, upscalers.get(name), setting, measured, with_published=against is not None)
                for name, measured in every.items()
            ]
    _print(rows)
    made: list[tuple[Path | None, Callable[[], bytes]]] = [
        (csv, lambda: as_utf8(report.to_csv([row.record() for row in rows]))),
        (markdown, lambda: as_utf8(report.to_markdown(rows))),
        (per_image, lambda: as_utf8(report.to_csv(records))),
        (plot, lambda: plots.draw_plot(rows, plot.suffix if plot else "")),
    ]
    for path, content in made:
        if path is not None:
            report.store(path, content())
    if left_out:
        scored = sum(each.count for each in found)
        reasons = "; ".join(worded(one.reason, one.error.cures, describe_cure) for one in left_out)
        typer.echo(f"{scored} scored, {len(left_out)} left out: {reasons}", err=True)
        raise typer.Exit(1)


def _load_models(
    models: Sequence[str] | None,
    files: Sequence[Path] | None,
    engine: str,
    device: str,
    tta: bool,
    *,
    baseline: bool,
) -> dict[str, Upscaler]:
    """Load the models, keyed by their names in tables: the family, or the given name if several share a family."""
    from hyperacuity import api

    given: list[str | Path | None] = [*(models or []), *(files or [])] or [None]
    if baseline and "bicubic" not in given:
        given.insert(0, "bicubic")
    upscalers = [api.load(each, engine=engine, device=device, tta=tta) for each in given]
    families = [upscaler.family[0].card.family for upscaler in upscalers]
    names = [family if families.count(family) == 1 else str(each) for family, each in zip(families, given, strict=True)]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the model {name} is given twice")
    return dict(zip(names, upscalers, strict=True))


def _find_set(
    path: Path,
    lr: Path | None,
    scales: Sequence[int],
    image_metrics: Sequence[Metric],
    video_metrics: Sequence[Metric],
    frames: FrameSelection,
) -> ImageSet | VideoSet:
    """Find the test set in a folder or a video."""
    from hyperacuity import formats
    from hyperacuity.evaluate.sets import find_images
    from hyperacuity.evaluate.video_sets import find_video

    if not formats.is_video(path):
        return find_images(path, scales, image_metrics, lr=lr)
    if lr is not None:
        raise UsageError(f"the LR of a video such as {path} is made by bicubic", Use(lr=LEAVE_OUT))
    return find_video(path, scales, video_metrics, frames)


def _check(
    result: Sequence[Path], data: Sequence[Path], lr: Sequence[Path], against: str | None, scales: Sequence[int]
) -> None:
    """Check options that depend on each other."""
    if against not in (None, "published"):
        raise UsageError(f"--against {against}: the only choice is published")
    if lr and len(lr) != len(data):
        raise UsageError(f"--lr has {len(lr)} folders and --data {len(data)}: give one for each, in the same order")
    if not result:
        return
    if len(data) != 1:
        raise UsageError("--result is compared with one folder or one video: give only that with --data")
    for path in result:
        if path.is_dir() != data[0].is_dir():
            kinds = "a folder and --data is not" if path.is_dir() else "no folder and --data is one"
            raise UsageError(f"--result {path} is {kinds}: give two folders of images, or two videos")
    if data[0].is_dir() and len(scales) > 1:
        raise UsageError("--result has one scale: give only that with --scale")


def _open_finished(
    results: Sequence[Path], found: Sequence[ImageSet | VideoSet], scales: Sequence[int]
) -> dict[str, FinishedResults]:
    """Open the finished results, keyed by their names in tables: those of their folders or files."""
    from hyperacuity.evaluate.finished import FinishedImages
    from hyperacuity.evaluate.sets import ImageSet
    from hyperacuity.evaluate.video_sets import FinishedVideo
    from hyperacuity.storage import real_path

    last = [real_path(path).name for path in results]
    names = [name if last.count(name) == 1 else str(path) for name, path in zip(last, results, strict=True)]
    return {
        name: FinishedImages(path, each, scales[0]) if isinstance(each, ImageSet) else FinishedVideo(path, each)
        for name, path in zip(names, results, strict=True)
        for each in found
    }


def _check_outputs(
    paths: Sequence[Path], images: Path | None, found: Sequence[ImageSet | VideoSet], force: bool
) -> None:
    """Raise `UsageError` if a result could not be written after it is computed."""
    from hyperacuity.storage import real_path

    inputs = [real_path(path) for each in found for path in each.files]
    if images is not None:
        if images.exists() and not images.is_dir():
            raise UsageError(f"{images} is a file: name a folder for the images")
        if not images.absolute().parent.is_dir():
            raise UsageError(f"there is no folder {images.parent}: create it first")
        folders = [real_path(path) for each in found if (path := each.path).is_dir()]
        if any(folder in (real_path(images), *real_path(images).parents) for folder in folders):
            raise UsageError(f"{images} lies in a measured set: choose a folder outside it")
    for path in paths:
        if real_path(path) in inputs:
            raise UsageError(f"{path} is one of the files that are measured: choose another name")
        if paths.count(path) > 1:
            raise UsageError(f"two results would be written to {path}: choose another name for one of them")
        if path.exists() and not force:
            raise UsageError(f"{path} exists: choose another name, or add --force")
        if path.parent != images and not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}: create it first")


@contextmanager
def _progress(settings: Sequence[EvaluationSetting]) -> Iterator[Callable[[], None]]:
    """Draw a bar over all images of all settings on a terminal; warnings are lines above it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    total = sum(setting.images.count for setting in settings)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar, warnings_above(console):
        task = bar.add_task("images", total=total or None)
        yield lambda: bar.advance(task)


def _print(rows: Sequence[EvaluationRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    from hyperacuity.evaluate import report

    columns, body = report.table(rows)
    table = Table(*columns, box=None)
    for line in body:
        table.add_row(*line)
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False)  # brackets are part of names
    console.print(table)
    for statement in report.statements(rows):
        console.print(statement, style="dim", highlight=False)
