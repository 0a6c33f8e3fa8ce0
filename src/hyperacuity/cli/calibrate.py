"""`hyperacuity calibrate`: fits the error maps of a model to images of the user's own kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.cli.options import ErrorMapSource
from hyperacuity.counting import counted
from hyperacuity.errors import UsageError


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name from `hyperacuity models`, or a model file.")],
    data: Annotated[list[Path], typer.Option("--data", help="Folder of clean images at full resolution.")],
    scale: Annotated[int, typer.Option("-s", "--scale", min=2, max=4, help="The scale to calibrate for.")] = 2,
    source: ErrorMapSource = "network",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write. \\[default: MODEL-xN-errors.json]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Make `upscale --error-map` keep its promise of 90 % on your kind of images.

    The images must not have been in the training of the model.

    hyperacuity calibrate acute-100k --data my-photos -s 2
    """
    from hyperacuity import api, datasets
    from hyperacuity.calibrating import calibrate

    upscaler = api.load(model)
    name = upscaler.names((1, 1), (scale, scale))[-1].removesuffix(f"-x{scale}")
    folder = Path(model).parent if Path(model).is_file() else Path()
    path = output or folder / f"{name}-x{scale}-errors.json"
    if path.exists() and not force:
        raise UsageError(f"{path} exists: add --force to overwrite it")
    files = datasets.files(data)
    calibration = calibrate(upscaler, files, scale, source=source, data=f"{counted(len(files), 'image')} of the user")
    calibration.save(path)
    named = "" if source == "network" else f"--error-map-source {source} "
    options = f"-s {scale} --error-map map.png {named}--calibration {path}"
    typer.echo(f"{path}\nuse it: hyperacuity upscale {options} photo.jpg")
