"""`hyperacuity train`: a recipe and pictures in, a model out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.errors import MissingDependency, UsageError


def command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML file, such as recipes/fsrcnn-x2.toml.")],
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
) -> None:
    """Train a model. Interrupt it whenever you like; --resume goes on from the last validation."""
    try:
        import hyperacuity.train as trainer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"training needs {error.name}: pip install 'hyperacuity[train]'") from error

    overrides = dict(_pair(change) for change in changes or [])
    if data:
        overrides["data.train"] = repr([str(folder) for folder in data])
    record = trainer.read_recipe(recipe, overrides)
    folder = output or Path("runs", record.model.name)

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("reading pictures", total=record.steps, loss="")
        for progress in trainer.train(record, folder, resume=resume):
            bar.update(task, completed=progress.step, description=record.model.name, loss=f"loss {progress.loss:.4f}")
            if progress.validation is not None:
                console.print(
                    f"step {progress.step}: {progress.validation:.3f} dB (best {progress.best:.3f})", highlight=False
                )
    typer.echo(
        f"{folder / record.model.name}.safetensors\n"
        f"try it: hyperacuity upscale -m {folder / record.model.name}.safetensors photo.jpg"
    )


def _pair(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals:
        raise UsageError(f"--set {change}: write KEY=VALUE, such as optimizer.lr=1e-4")
    return key.strip(), value.strip()
