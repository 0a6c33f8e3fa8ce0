"""`hyperacuity quantise`: converts a model to 8 bits and measures the loss of quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperacuity.errors import MissingDependency, UsageError


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file: NAME.safetensors or NAME.onnx.")],
    data: Annotated[list[Path], typer.Option("--data", help="Folder of images for the calibration; may be repeated.")],
    check: Annotated[Path | None, typer.Option(help="Folder of images to measure on. \\[default: as --data]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing 8-bit model.")] = False,
) -> None:
    """Write NAME-int8.onnx next to a model, for `upscale --precision int8`, and measure it.

    hyperacuity quantise runs/mine/mine.safetensors --data my-photos
    """
    try:
        from hyperacuity import quantise
    except ModuleNotFoundError as error:
        raise MissingDependency(f"quantising needs {error.name}: pip install 'hyperacuity[train]'") from error
    from hyperacuity import datasets, zoo

    found = zoo.open_model(model)
    if found.int8 is not None and not force:
        raise UsageError(f"{found.int8} exists: add --force to overwrite it")
    images = datasets.files(data)
    checked = datasets.files([check]) if check is not None else images
    path = quantise.write_int8(found, images)
    result = quantise.compare(zoo.open_model(model), checked[: quantise.IMAGES])
    typer.echo(
        f"{path}\nPSNR {result.fp32:.3f} dB in float32, {result.int8:.3f} dB in 8 bits; "
        f"{result.faster:.2f} times as fast here\n"
        f"try it: hyperacuity upscale -m {model} --precision int8 photo.jpg"
    )
