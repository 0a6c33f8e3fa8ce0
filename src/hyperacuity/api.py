"""The library's front door: `upscale`, `load`, `models`. The command line and the server are its clients."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hyperacuity import engines, formats, zoo
from hyperacuity.engines import Engine, Precision
from hyperacuity.errors import OutOfMemory, UsageError
from hyperacuity.image import Image, Strips
from hyperacuity.pipeline import Pipeline, Stage
from hyperacuity.resize import Kernel
from hyperacuity.size import Size
from hyperacuity.storage import may_write
from hyperacuity.zoo import Card, ChainStep, Model

if TYPE_CHECKING:
    import PIL.Image

Array = NDArray[Any]
Picture = TypeVar("Picture", str, Path, bytes, NDArray[Any], "PIL.Image.Image")


def models() -> Mapping[str, Card]:
    """The cards of all models at hand, by name."""
    return {name: model.card for name, model in zoo.models().items()}


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    tta: bool = False,
) -> Upscaler:
    """An `Upscaler`, to be built once and used many times.

    model: a name ("fsrcnn-x2"), a family ("fsrcnn"), the path of a model file, or None for the default.
    engine, device, precision: see `engines.open`. tile, tta: see `pipeline.Pipeline`.

    Raises `UnknownModel`, `WeightsError` for a file that is not a model, `MissingDependency`, `UsageError`.
    """
    return Upscaler(_family(model), engine=engine, device=device, precision=precision, tile=tile, tta=tta)


def _family(model: str | os.PathLike[str] | None) -> list[Model]:
    if model is None:
        return zoo.find_models(zoo.DEFAULT)
    path = Path(model)
    # A name of the zoo has no folders; what ends like a file is one even without.
    if not isinstance(model, str) or path.suffix.lower() in (".safetensors", ".onnx", ".pth", ".pt", ".ckpt"):
        return [zoo.open_model(path)]
    return zoo.find_models(model)


def upscale(
    x: Picture,
    scale: float | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    width: int | None = None,
    height: int | None = None,
    megapixels: float | None = None,
    output: str | os.PathLike[str] | None = None,
    force: bool = False,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    tta: bool = False,
) -> Picture:
    """Make a picture larger; the answer is of the kind of the question.

    x: the path of a file; the bytes of one; a PIL image; or an array (H, W) or (H, W, C) with C = 1, 2 (grey and
        alpha), 3 (RGB), 4 (RGB and alpha), of uint8, uint16, or float32 in [0, 1].
    scale: the final scale, whole or not; or width, height (pixels), or megapixels. Without any: 2.
    output: for a path only: the file to write, by default "photo-x2.jpg" beside "photo.jpg", the path of
        which is returned. An existing file is overwritten only with `force`.

    Raises `UsageError` and its kind for what cannot be asked, `DamagedFile` for a broken file, and all that
    `load` raises.
    """
    upscaler = load(model, engine=engine, device=device, precision=precision, tile=tile, tta=tta)
    size = Size(scale, width, height, megapixels)
    if isinstance(x, str):
        return str(_into_file(upscaler, Path(x), output, size, force))
    if isinstance(x, Path):
        return _into_file(upscaler, x, output, size, force)  # type: ignore[return-value]  # not an image that is a path
    if output is not None:
        raise UsageError("output= goes with a path; bytes, PIL images and arrays are returned")
    if isinstance(x, bytes):
        return upscaler.encoded(x, size)
    if isinstance(x, np.ndarray):
        return upscaler.array(x, size)
    if hasattr(x, "getbands"):  # a PIL image, told without importing PIL
        return upscaler.pil(x, size)
    raise UsageError(f"cannot upscale a {type(x).__name__}: give a path, bytes, a PIL image or a numpy array")


def _into_file(upscaler: Upscaler, path: Path, output: str | os.PathLike[str] | None, size: Size, force: bool) -> Path:
    target = Path(output) if output is not None else path.with_name(f"{path.stem}{suffix(size)}{ending(path)}")
    return upscaler.file(path, target, size, force=force).path


@contextlib.contextmanager
def _memory() -> Iterator[None]:
    """Say it in a sentence when memory runs out where no smaller tile would help."""
    try:
        yield
    except OutOfMemory:
        raise
    except MemoryError as error:
        raise OutOfMemory("memory ran out: close other programs, or work on fewer pictures at once") from error


@dataclass(frozen=True)
class Result:
    """What became of a file: where it lies, its (height, width) before and after, what computed it."""

    path: Path
    before: tuple[int, int]
    after: tuple[int, int]
    models: tuple[str, ...]
    frames: int


class Upscaler:
    """A model ready for use; safe to share between threads.

    The network of a family's smallest scale is opened at once, which shows whether it can run here; those of other
    scales are opened when they are first needed.
    """

    def __init__(
        self, family: list[Model], *, engine: str, device: str, precision: Precision, tile: int | None, tta: bool
    ) -> None:
        self.family, self.tile, self.tta = family, tile, tta
        self._open = functools.partial(engines.open, engine=engine, device=device, precision=precision)
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()
        if tile is not None and tile < 0:
            raise UsageError(f"a tile of {tile} pixels: give 0 for no tiles, or a positive side")
        if not self.classical:
            self._engine(family[0])

    @property
    def classical(self) -> bool:
        """Whether this is a resampler and not a network."""
        return self.family[0].card.architecture == zoo.CLASSICAL

    def made_for(self, scale: int) -> bool:
        """Whether one network gives just this scale, or there is none and every scale is as good."""
        return self.classical or any(step.scale == scale for step in zoo.chain_steps(self.family))

    def chain(self, image: tuple[int, int], target: tuple[int, int]) -> list[ChainStep]:
        """The models that bring an image of (height, width) to `target`, first to last; none to shrink it."""
        return zoo.plan_chain(self.family, max(target[0] / image[0], target[1] / image[1]))

    def stream(self, image: Image, size: Size | float) -> Strips:
        """An `Image` at another size, or so many times its own, computed as its rows are read."""
        size = size if isinstance(size, Size) else Size(size)
        before = image.header.height, image.header.width
        target = size.resolve(*before)
        return self.pipeline(before, target).stream(image, *target)

    def pipeline(self, before: tuple[int, int], target: tuple[int, int]) -> Pipeline:
        """What brings images of (height, width) `before` to `target`; for many of one size."""
        steps = self.chain(before, target)
        stages = [
            Stage(self._engine(step.model), step.model.card.name, step.enlarge, step.model.card.whole) for step in steps
        ]
        kernel: Kernel = "lanczos" if self.classical and self.family[0].card.name == "lanczos" else "bicubic"
        return Pipeline(stages, kernel, self.tile, self.tta)

    def _engine(self, model: Model) -> Engine:
        with self._lock:
            if model.card.name not in self._engines:
                zoo.verify(model)
                self._engines[model.card.name] = self._open(model)
            return self._engines[model.card.name]

    def file(
        self,
        data: Path | bytes,
        output: Path,
        size: Size | float,
        *,
        force: bool = False,
        quality: int | None = None,
        watch: Callable[[Strips, int, int], Strips] = lambda strips, frame, frames: strips,
    ) -> Result:
        """Upscale one file, or the bytes of one, into the file `output`, with all that it says of itself.

        quality: 1 to 100, for the formats that have one. watch: may wrap the rows of each frame as they pass; it
            gets them, the frame's number from 0 on, and how many there are.
        """
        may_write(output, data, force=force)
        before = after = (0, 0)
        with _memory(), formats.read(data) as source, formats.write(output, source, quality=quality) as sink:
            for frame, image in enumerate(source):
                strips = self.stream(image, size)
                before = image.header.height, image.header.width
                after = strips.header.height, strips.header.width
                sink.write(watch(strips, frame, source.frames))
            return Result(output, before, after, self.names(before, after), source.frames)

    def names(self, before: tuple[int, int], after: tuple[int, int]) -> tuple[str, ...]:
        """What brings an image from one (height, width) to another: networks, else a resampler, else nothing."""
        if steps := self.chain(before, after):
            return tuple(step.model.card.name for step in steps)
        return () if before == after else (self.family[0].card.name if self.classical else "bicubic",)

    def encoded(self, data: bytes, size: Size | float) -> bytes:
        """Upscale the bytes of a file into the bytes of one of the same format."""
        with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
            path = Path(folder, "result" + suffix_of(data))
            self.file(data, path, size)
            return path.read_bytes()

    def array(self, pixels: Array, size: Size | float) -> Array:
        """Upscale (H, W) or (H, W, C) pixels; see `upscale`."""
        order = pixels.dtype
        pixels = np.asarray(pixels, order.newbyteorder("="))
        if pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise UsageError(f"pixels of {pixels.dtype}: convert to uint8, uint16, or float32 in [0, 1] first")
        channels = pixels.shape[2] if pixels.ndim == 3 else 1
        if pixels.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in pixels.shape:
            raise UsageError(f"pixels of shape {pixels.shape}: give (H, W) or (H, W, C) with 1 to 4 channels")
        image = Image.from_pixels(pixels, alpha=channels in (2, 4))
        with _memory():
            result = self.stream(image, size).gather().pixels.astype(order, copy=False)
        return result[..., 0] if pixels.ndim == 2 else result

    def pil(self, picture: PIL.Image.Image, size: Size | float) -> PIL.Image.Image:
        """Upscale a PIL image; modes other than L, LA, RGB, RGBA, I;16 and F are converted to RGB or RGBA.

        Raises `UsageError` for mode I: 32 bits do not say where white is.
        """
        import PIL.Image

        plain = picture
        if picture.mode == "I":
            raise UsageError("a PIL image of mode I says not where white is: convert it to I;16, or to L, first")
        if picture.mode == "La":
            plain = picture.convert("LA")
        elif picture.mode not in ("L", "LA", "RGB", "RGBA", "F") and not picture.mode.startswith("I;16"):
            plain = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        pixels = np.asarray(plain)
        result = PIL.Image.fromarray(self.array(pixels.astype(pixels.dtype.newbyteorder("="), copy=False), size))
        # The profile of what has become RGB is not one of RGB.
        kept = ("exif", "dpi") if picture.mode in ("CMYK", "LAB", "YCbCr", "HSV") else ("icc_profile", "exif", "dpi")
        result.info = {key: picture.info[key] for key in kept if key in picture.info}
        return result


def ending(path: Path) -> str:
    """The ending for the result of a file: its own where that names a format, else the one that fits its content."""
    return path.suffix if formats.knows(path) else suffix_of(path)


def suffix_of(data: Path | bytes) -> str:
    """The ending that fits what a file, or the bytes of one, contain, such as ".png"."""
    with formats.read(data) as source:
        return source.suffix


def suffix(size: Size) -> str:
    """What is put after a file's name by default: "-x2", "-x3.5", "-3840w", "-2160h", "-24mp"."""
    if size.width is not None and size.height is not None:
        return f"-{size.width}x{size.height}"
    if size.width is not None:
        return f"-{size.width}w"
    if size.height is not None:
        return f"-{size.height}h"
    if size.megapixels is not None:
        return f"-{size.megapixels:g}mp"
    return f"-x{size.scale or 2:g}"
