"""`hyperacuity import`: somebody's checkpoint in, a model of ours out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.cli.values import settings
from hyperacuity.errors import MissingDependency


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint: .pth, .pt, .ckpt or .safetensors.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")] = Path(),
    name: Annotated[str | None, typer.Option("--name", help="Name of the model. \\[default: the file's]")] = None,
    scale: Annotated[
        int | None,
        typer.Option("-s", "--scale", min=1, help="Where the weights do not say it. \\[default: the name's]"),
    ] = None,
    architecture: Annotated[
        str | None, typer.Option("--architecture", help="Where more than one has such weights.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="What else the weights do not say.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Of the weights. \\[default: unknown]")] = None,
    trained_on: Annotated[str | None, typer.Option("--trained-on", help="For the card. \\[default: unknown]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a model of that name.")] = False,
) -> None:
    """Convert a checkpoint of another project into a model; no code in it is ever run."""
    try:
        from hyperacuity import importer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"importing needs {error.name}: pip install 'hyperacuity[train]'") from error

    card = importer.convert(
        file,
        output,
        name=name,
        architecture=architecture,
        scale=scale,
        settings=settings(changes or [], "activation=relu"),
        licence=licence,
        trained_on=trained_on,
        force=force,
    )
    path = output / f"{card.name}.safetensors"
    typer.echo(
        f"{path}\n{card.architecture}, x{card.scale}, {card.channels}, {card.parameters:,} parameters\n"
        f"try it: hyperacuity upscale -m {path} photo.jpg"
    )
