"""`hyperacuity train`: a recipe and pictures in, a model out."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hyperacuity.cli.values import settings
from hyperacuity.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from hyperacuity.train import Recipe, TrainingProgress

# Of somebody who trains on pictures of his own, and has not the recipe's others.
NOT_THERE = {
    "validation": "the recipe's pictures for validation are not here: a tenth of yours is set aside for it",
    "reports": "the recipe's test sets are not here: the report goes without them",
}


def command(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A TOML file, such as recipes/fsrcnn-x2.toml.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Folders to learn from, instead of the recipe's.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: optimizer.lr=1e-4.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the model; runs/NAME if not given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few seconds, to see that all is in place: the recipe's \\[quick].")
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Write a picture of what will be learnt from, and stop.", metavar="PNG")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of recipes, for editors, and stop.")
    ] = False,
) -> None:
    """Train a model. Interrupt it whenever you like; --resume goes on from the last validation.

    hyperacuity train recipes/fsrcnn-x2.toml --data my-photos
    torchrun --nproc-per-node 4 -m hyperacuity train recipes/edsr.toml    on four GPUs
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
        overrides = _own_pictures(data) | overrides
    record = trainer.read_recipe(recipe, overrides, quick=quick)
    if data:
        record = trainer.read_recipe(recipe, _without_what_is_not_here(record, overrides), quick=quick)
    if preview is not None:
        trainer.preview(record, preview)
        typer.echo(str(preview))
        return
    folder = output or Path("runs", record.model.name)
    # One of several processes tells what all of them do.
    if int(os.environ.get("RANK", "0")) > 0:
        for _ in trainer.train(record, folder, resume=resume, device=device):
            pass
        return
    try:
        _watched(record, trainer.train(record, folder, resume=resume, device=device), folder)
    except KeyboardInterrupt:
        typer.echo("interrupted: the same command with --resume goes on from the last validation", err=True)
        raise
    models = sorted(folder.glob(f"{record.model.name}*.safetensors"))
    report = _report(record, recipe, folder, models)
    typer.echo("\n".join([*map(str, models), str(report)]))
    typer.echo(f"try it: hyperacuity upscale -m {models[0]} photo.jpg")


def _own_pictures(folders: list[Path]) -> dict[str, Any]:
    """What is another than the recipe says for somebody's own pictures: where they are, and what the card says."""
    return {
        "data.train": [str(folder) for folder in folders],
        "model.trained_on": f"pictures of {', '.join(folder.resolve().name for folder in folders)}",
        "model.licence": "not stated",
    }


def _without_what_is_not_here(record: Recipe, overrides: dict[str, Any]) -> dict[str, Any]:
    """The changes, and without the recipe's own folders to measure on that this machine has not; which is said."""
    for name, said in NOT_THERE.items():
        asked = getattr(record.data, name)
        there = [str(folder) for folder in asked if folder.is_dir()]
        if f"data.{name}" in overrides or len(there) == len(asked):
            continue
        overrides = {**overrides, f"data.{name}": there}
        if not there and int(os.environ.get("RANK", "0")) == 0:
            typer.echo(said, err=True)
    return overrides


def _watched(record: Recipe, training: Iterator[TrainingProgress], folder: Path) -> None:
    """Run a training under a bar, with its log; every validation is a line."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hyperacuity.train import Log

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    ]
    with (
        Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar,
        _said_above(console),
        Log(folder) as log,
    ):
        task = bar.add_task("reading pictures", total=record.steps, told="")
        for progress in training:
            if not progress.losses:
                bar.update(task, completed=progress.step)
                continue
            log.write(progress)
            told = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
            if progress.best > 0:
                told += f"  {progress.best:.2f} dB"
            bar.update(task, completed=progress.step, description=record.model.name, told=told)
            if progress.validation is not None:
                console.print(
                    f"step {progress.step}: {progress.validation:.3f} dB (best {progress.best:.3f})", highlight=False
                )


@contextmanager
def _said_above(console: Any) -> Iterator[None]:
    """Warnings as lines above the bar, not through it."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: console.print(f"warning: {message}", highlight=False)
        yield


def _report(record: Recipe, recipe: Path, folder: Path, models: list[Path]) -> Path:
    from hyperacuity import train as trainer

    try:
        return trainer.report(folder, recipe, models, _table(models, record))
    except OSError as error:
        raise UsageError(
            f"{models[0]} is there, but no report of it ({error.strerror or error}): free some space; the same command "
            "with --resume writes it then"
        ) from error


def _table(models: list[Path], record: Recipe) -> str | None:
    """What `hyperacuity evaluate` says of the models on the recipe's test sets."""
    from hyperacuity import api
    from hyperacuity.evaluate import evaluate_folder, report

    rows = []
    for path in models:
        upscaler = api.load(path)
        for folder in record.data.reports:
            scales = [scale for scale in (2, 3, 4, 8) if upscaler.made_for(scale)]
            rows += [evaluate_folder(upscaler, folder, scale, with_published=True) for scale in scales]
    return report.to_markdown(rows) if rows else None
