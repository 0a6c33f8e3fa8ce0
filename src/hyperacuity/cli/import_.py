"""`hyperacuity import`: converts a checkpoint of another project into a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.cli.options import ForceModel, ModelFolder
from hyperacuity.cli.values import settings
from hyperacuity.cli.wording import printed_warnings
from hyperacuity.errors import MissingDependency


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint: .pth, .pt, .ckpt or .safetensors.")],
    output: ModelFolder = Path(),
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the model. \\[default: the name of the file]")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option("-s", "--scale", min=1, help="If the weights do not show it. \\[default: as in the name]"),
    ] = None,
    architecture: Annotated[
        str | None, typer.Option("--architecture", help="If several architectures have such weights.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Other settings that the weights do not show."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", help="Licence of the weights. \\[default: unknown]")
    ] = None,
    trained_on: Annotated[
        str | None, typer.Option("--trained-on", help="Training data, for the card. \\[default: unknown]")
    ] = None,
    force: ForceModel = False,
) -> None:
    """Convert a checkpoint of another project into a model. Code in the checkpoint is never run."""
    try:
        from hyperacuity import importer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"importing needs {error.name}: pip install 'hyperacuity[train]'") from error

    with printed_warnings():
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
