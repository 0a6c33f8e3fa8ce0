"""`hyperacuity interpolate`: mixes the weights of two models of one network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.cli.options import ForceModel, ModelFolder
from hyperacuity.errors import MissingDependency


def command(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A model by name or file: the faithful one.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="A model by name or file: the sharp one.")],
    alpha: Annotated[float, typer.Option("--alpha", help="Share of the second model, from 0 to 1.")] = 0.5,
    output: ModelFolder = Path(),
    name: Annotated[str, typer.Option("--name", help="Name of the model.")] = "interpolated",
    force: ForceModel = False,
) -> None:
    """Mix the weights of two models of one network, from faithful to sharp, as ESRGAN does."""
    try:
        import hyperacuity.train as trainer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"this needs {error.name}: pip install 'hyperacuity[train]'") from error

    card = trainer.interpolated(first, second, alpha, output, name=name, force=force)
    typer.echo(f"{output / card.name}.safetensors")
