"""The functions and the class that most callers need: `upscale`, `load`, `models`, `Upscaler`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hyperacuity import zoo
from hyperacuity.engines import Precision
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.inspection import choose_model, inspect
from hyperacuity.size import Size, size_suffix
from hyperacuity.task import MeasurementOptions, Options, Task
from hyperacuity.upscaler import Upscaler
from hyperacuity.zoo import Card

if TYPE_CHECKING:
    import PIL.Image

Array = NDArray[Any]
ImageLike = TypeVar("ImageLike", str, Path, bytes, NDArray[Any], "PIL.Image.Image")


def models() -> Mapping[str, Card]:
    """Returns the cards of all installed models, by name.

    Example:
        >>> models()["fsrcnn-x2"].scale
        2
    """
    return {name: model.card for name, model in zoo.installed().items()}


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    tta: bool = False,
    strength: float | None = None,
    faithful: float | str | None = None,
) -> Upscaler:
    """Open a model, to be used many times.

    Args:
        model: A name ("fsrcnn-x2"), a family ("fsrcnn"), the path of a model file, or None or "auto" for the default
            model, which is for clean images.
        engine: What runs the network, such as "onnxruntime" or "pytorch"; "auto" for the fastest. See `engines.open`.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "auto", "fp32", "fp16", "bf16" or "int8".
        tile: The largest side of a tile in input pixels; 0 for no tiles; None for as large as memory allows.
        tta: Average over the eight flips and rotations: eight times slower, and a little better.
        strength: For models that have a natural partner, such as "photo": from 0 (natural) to 1 (sharpest); None for
            the model's default.
        faithful: Correct the result so that its reduction equals the input: 1 exactly, as "auto" does here, less only
            in part, None not at all.

    Raises:
        UnknownModel: No model has that name.
        WeightsError: The file is not a model.
        MissingDependency: The engine is not installed.
        UsageError: The model cannot run in this way.

    Example:
        >>> upscaler = load("fsrcnn")
        >>> upscaler.array(np.zeros((10, 12, 3), np.uint8), 2).shape
        (20, 24, 3)
    """
    return Upscaler(_options(model, engine, device, precision, tile, tta, strength, faithful))


def _options(model: str | os.PathLike[str] | None, *others: Any) -> Options:
    # Names in the zoo contain no folders; a string with the ending of a model file is a path even without a folder.
    named = isinstance(model, str) and Path(model).suffix.lower() not in (*zoo.MODEL_SUFFIXES, *zoo.CHECKPOINT_SUFFIXES)
    return Options(cast("str", model) if named else None, None if named or model is None else str(Path(model)), *others)


def upscale(
    x: ImageLike,
    scale: float | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    width: int | None = None,
    height: int | None = None,
    megapixels: float | None = None,
    fit: bool = False,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    tta: bool = False,
    strength: float | None = None,
    faithful: float | str | None = None,
    measurement: MeasurementOptions | None = None,
) -> ImageLike:
    """Enlarge an image. Returns the same type as `x`.

    Paths are enlarged as the command line does it: a GeoTIFF stays one, and so do files of DICOM and NIfTI, and folders
    with series of DICOM. Their default model is "acute-10k".

    Args:
        x: The path of a file; the bytes of a file; a PIL image; or an array (H, W) or (H, W, C) with C = 1 (grey),
            2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha), of uint8, uint16, or float32 in [0, 1].
        scale: The final scale, whole or not.
        width: The final width in pixels, instead of a scale. Without a height it keeps the proportions.
        height: The final height in pixels.
        megapixels: The final area, instead of a scale. Without any size the scale is 2.
        fit: Keep the proportions within width and height, instead of stretching.
        output: The file to write if `x` is a path; by default "photo-x2.jpg" next to "photo.jpg".
        force: Overwrite `output` if it exists.
        model: See `load`; None or "auto" chooses by what the image needs, see `inspect`.
        engine, device, precision, tile, tta, strength: See `load`.
        faithful: See `load`; "auto" is exact for clean images, less for others, see `inspect`.
        measurement: Options of rasters and medical images; only for their paths.

    Returns:
        The enlarged image; for a path the path of the file that was written.

    Raises:
        UsageError: The request cannot be met, a file is missing, or `output` exists.
        DamagedFile: The content of the file is broken.
        HyperacuityError: Everything that `load` raises.

    Example:
        >>> upscale(np.zeros((10, 12, 3), np.uint8), scale=3.5).shape
        (35, 42, 3)
    """
    options = _options(model, engine, device, precision, tile, tta, strength, faithful)
    size = Size(scale, width, height, megapixels, fit)
    if isinstance(x, str | Path):
        target = _upscale_path(Path(x), None if output is None else Path(output), size, options, measurement, force)
        return str(target) if isinstance(x, str) else target  # type: ignore[return-value]  # no image is a path
    upscaler = Upscaler(choose_model(options, size, lambda: inspect(x))[0])
    if measurement is not None:
        raise UsageError("options of measurements are only for paths", Use(measurement=LEAVE_OUT))
    if output is not None:
        raise UsageError(
            "output is only for paths: bytes, PIL images and arrays are returned, not written", Use(output=LEAVE_OUT)
        )
    if isinstance(x, bytes):
        return upscaler.encoded(x, size)
    if isinstance(x, np.ndarray):
        return upscaler.array(x, size)
    if hasattr(x, "getbands"):  # a PIL image, recognised without importing PIL
        return upscaler.pil(x, size)
    raise UsageError(f"cannot upscale a {type(x).__name__}: give a path, bytes, a PIL image or a numpy array")


def _upscale_path(
    source: Path,
    target: Path | None,
    size: Size,
    options: Options,
    measurement: MeasurementOptions | None,
    force: bool,
) -> Path:
    """Enlarge a file of any kind, or a folder with a series, and return the path of the result."""
    from hyperacuity.tasks import Naming, perform

    if target is None:
        target = Naming(None, size_suffix(size), None).name(source, source.parent)
    perform(Task(str(source), str(target), size, options, measurement=measurement, force=force))
    return target
