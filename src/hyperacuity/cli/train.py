"""`hyperacuity train`: trains a model from a recipe and images."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperacuity.cli.interruption import interruptible
from hyperacuity.cli.values import settings
from hyperacuity.cli.warning_lines import warnings_above
from hyperacuity.errors import MissingDependency, UsageError
from hyperacuity.task import Stopped

if TYPE_CHECKING:
    from hyperacuity.train import Recipe, TrainingProgress

# For users who train on their own images and do not have the other data of the recipe.
_MISSING = {
    "validation": "the recipe's validation images are missing: a tenth of yours is set aside for validation",
    "reports": "the recipe's test sets are missing: the report is written without them",
}


def command(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A TOML file, such as recipes/fsrcnn-x2.toml.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Folders of training images, instead of the recipe's.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: optimizer.lr=1e-4.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the model; runs/NAME if missing.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Train for a few seconds to check the setup, with the recipe's \\[quick].")
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Write an image of training samples and exit.", metavar="PNG")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of recipes, for editors, and exit.")
    ] = False,
    slurm: Annotated[
        int | None,
        typer.Option(min=1, metavar="NODES", help="Write a batch script for nodes of Slurm.", rich_help_panel="Slurm"),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes on each node: one for each GPU.", rich_help_panel="Slurm")
    ] = 1,
    options: Annotated[
        list[str] | None,
        typer.Option("--sbatch", metavar="OPTION", help="An option of sbatch.", rich_help_panel="Slurm"),
    ] = None,
) -> None:
    """Train a model. It can be interrupted at any time; --resume continues from the last validation.

    hyperacuity train recipes/fsrcnn-x2.toml --data my-photos
    torchrun --nproc-per-node 4 -m hyperacuity train recipes/edsr-x2.toml    on four GPUs
    hyperacuity train recipes/edsr-x2.toml --slurm 2 --processes 4    a script for two nodes of four GPUs
    """
    if recipe is None and not schema:
        raise UsageError("say what to train: hyperacuity train recipes/fsrcnn-x2.toml")
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise UsageError(f"no device {device!r}: there are auto, cpu, cuda, mps")
    overrides = settings(changes or [], "optimizer.lr=1e-4")
    try:
        import hyperacuity.train as trainer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"training needs {error.name}: pip install 'hyperacuity[train]'") from error

    if schema:
        typer.echo(trainer.schema(), nl=False)
        return
    assert recipe is not None
    if data:
        overrides = _own_images(data) | overrides
    record = trainer.read_recipe(recipe, overrides, quick=quick)
    if data:
        record = trainer.read_recipe(recipe, _without_missing_folders(record, overrides), quick=quick)
    if preview is not None:
        trainer.preview(record, preview)
        typer.echo(str(preview))
        return
    folder = output or Path("runs", record.model.name)
    if slurm is not None:
        flags = [*_repeated("--data", data), *_repeated("--set", changes), "--output", str(folder)]
        flags += ["--device", device, *(["--quick"] if quick else []), *(["--resume"] if resume else [])]
        _write_job(folder, [str(recipe), *flags], record.model.name, slurm, processes, device != "cpu", options or [])
        return
    # Only the first of several processes prints.
    is_first = int(os.environ.get("RANK", "0")) == 0
    _run(trainer, record, folder, resume=resume, device=device, shown=is_first)
    if not is_first:
        return
    models = sorted(folder.glob(f"{record.model.name}*.safetensors"))
    report = _report(record, recipe, folder, models)
    typer.echo("\n".join([*map(str, models), str(report)]))
    typer.echo(f"try it: hyperacuity upscale -m {models[0]} photo.jpg")


def _repeated(name: str, values: Sequence[object] | None) -> list[str]:
    return [word for value in values or [] for word in (name, str(value))]


def _write_job(
    folder: Path, arguments: list[str], name: str, nodes: int, processes: int, gpus: bool, options: list[str]
) -> None:
    """Write the batch script into the folder of the run."""
    from hyperacuity.cluster.training_job import TrainingJob
    from hyperacuity.storage import storing, write_whole

    job = TrainingJob(arguments, f"hyperacuity-{name}", str(folder), nodes, processes, gpus, options)
    path = folder / "train.sbatch"
    with storing(path):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, job.script().encode())
    typer.echo(f"submit it with: sbatch {path}")


def _run(trainer: Any, record: Recipe, folder: Path, *, resume: bool, device: str, shown: bool) -> None:
    """Train until the end or a signal, which ends the command."""
    with interruptible() as interruption:
        training = trainer.train(record, folder, resume=resume, device=device, stop=interruption.stop)
        try:
            if shown:
                _show(record, training, folder)
            else:
                for _ in training:
                    pass
        except Stopped:
            if shown:
                typer.echo("interrupted: the same command with --resume continues from the last validation", err=True)
            raise typer.Exit(interruption.code) from None


def _own_images(folders: list[Path]) -> dict[str, Any]:
    """The changes to a recipe for the user's own images: their folders, and their description for the card."""
    return {
        "data.train": [str(folder) for folder in folders],
        "model.trained_on": f"images of {', '.join(folder.resolve().name for folder in folders)}",
        "model.licence": "not stated",
    }


def _without_missing_folders(record: Recipe, overrides: dict[str, Any]) -> dict[str, Any]:
    """The changes, without the recipe's test folders that this machine lacks; prints which kind is missing."""
    for name, text in _MISSING.items():
        asked = getattr(record.data, name)
        there = [str(folder) for folder in asked if folder.is_dir()]
        if f"data.{name}" in overrides or len(there) == len(asked):
            continue
        overrides = {**overrides, f"data.{name}": there}
        if not there and int(os.environ.get("RANK", "0")) == 0:
            typer.echo(text, err=True)
    return overrides


def _show(record: Recipe, training: Iterator[TrainingProgress], folder: Path) -> None:
    """Train with a bar and a log; every validation is a line."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hyperacuity.train import Log

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}", markup=False),
        TimeRemainingColumn(),
    ]
    with (
        Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar,
        warnings_above(console),
        Log(folder) as log,
    ):
        task = bar.add_task("reading images", total=record.steps, status="")
        for progress in training:
            if not progress.losses:
                bar.update(task, completed=progress.step, description=progress.preparing)
                continue
            log.write(progress)
            status = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
            if progress.best > 0:
                status += f"  {progress.best:.2f} dB"
            bar.update(task, completed=progress.step, description=record.model.name, status=status)
            if progress.validation is not None:
                console.print(
                    f"step {progress.step}: {progress.validation:.3f} dB (best {progress.best:.3f})", highlight=False
                )


def _report(record: Recipe, recipe: Path, folder: Path, models: list[Path]) -> Path:
    from hyperacuity import train as trainer

    try:
        return trainer.report(folder, recipe, models, _table(models, record))
    except OSError as error:
        raise UsageError(
            f"{models[0]} is written, but not its report ({error.strerror or error}): free some space; "
            "the same command with --resume writes it then"
        ) from error


def _table(models: list[Path], record: Recipe) -> str | None:
    """The table of `hyperacuity evaluate` for the models on the recipe's test sets."""
    from hyperacuity import api
    from hyperacuity.evaluate import evaluate_folder, report

    rows = []
    for path in models:
        upscaler = api.load(path)
        for folder in record.data.reports:
            scales = [scale for scale in (2, 3, 4, 8) if upscaler.made_for(scale)]
            rows += [evaluate_folder(upscaler, folder, scale, with_published=True) for scale in scales]
    return report.to_markdown(rows) if rows else None
