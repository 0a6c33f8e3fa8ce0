"""`hyperacuity interpolate`: two trainings of one network in, one between them out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.errors import MissingDependency


def command(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A model by name or file: the faithful one.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="The sharp one.")],
    alpha: Annotated[float, typer.Option("--alpha", help="How much of the second: 0 to 1.")] = 0.5,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")] = Path(),
    name: Annotated[str, typer.Option("--name", help="Name of the model.")] = "interpolated",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a model of that name.")] = False,
) -> None:
    """Mix the weights of two trainings of one network, as ESRGAN does: from faithful to sharp."""
    try:
        import hyperacuity.train as trainer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"this needs {error.name}: pip install 'hyperacuity[train]'") from error

    card = trainer.interpolated(first, second, alpha, output, name=name, force=force)
    typer.echo(f"{output / card.name}.safetensors")
