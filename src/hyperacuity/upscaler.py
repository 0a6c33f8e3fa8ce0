"""The class `Upscaler`: a model that is ready for use on arrays, images, rows and files."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from hyperacuity import engines, formats, zoo
from hyperacuity.engines import Engine, Precision
from hyperacuity.error_maps import (
    ErrorMapRequest,
    ErrorMeter,
    ReducingMeter,
    collect_results,
    open_meter,
    write_error_map,
)
from hyperacuity.errors import LEAVE_OUT, OutOfMemory, UsageError, Use
from hyperacuity.image import Image, Strips, pil_pixels
from hyperacuity.origin import state_origin
from hyperacuity.pipeline import Noise, Pipeline, Stage, check_rows
from hyperacuity.progress import observe_rows
from hyperacuity.resize import Kernel
from hyperacuity.size import Size, resolve_size, warn_of_stretching
from hyperacuity.storage import may_write
from hyperacuity.task import Options, Outcome, Progress, Stop
from hyperacuity.trust import (
    Calibration,
    ConsistencyMeter,
    Moments,
    compute_error_map,
    damping_of,
    find_calibration,
    lowest_lr_psnr,
    luma_levels,
    scale_of,
    smoothed_spread,
    warn_of_departure,
)
from hyperacuity.zoo import ChainStep, Model

if TYPE_CHECKING:
    import PIL.Image


Array = NDArray[Any]


def find_family(options: Options) -> list[Model]:
    """Returns the models that options name, smallest scale first, blended as `strength` says."""
    return zoo.blend_family(_named(options), options.strength)


def _named(options: Options) -> list[Model]:
    if options.model_path is not None:
        return [engines.open_file(Path(options.model_path))]
    return zoo.find_models(zoo.DEFAULT if options.model in (None, zoo.AUTO) else options.model)


@contextlib.contextmanager
def _memory() -> Iterator[None]:
    """Raise `OutOfMemory` where memory runs out and smaller tiles would not help."""
    try:
        yield
    except OutOfMemory:
        raise
    except MemoryError as error:
        raise OutOfMemory("memory ran out; close other programs, or work on fewer images at once") from error


class Upscaler:
    """A model that is ready for use, for any number of threads.

    The network of the family's smallest scale is opened at once, which shows whether it can run here. Those of other
    scales are opened when they are first needed.

    Args:
        options: The model and how to compute it.

    Raises:
        HyperacuityError: As `load` does.

    Attributes:
        family: The models of all scales of the family, smallest scale first.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        named = _named(options)
        self.family = zoo.blend_family(named, options.strength)
        if options.precision == "int8" and self.family != named:
            raise UsageError("8 bits exist only at full strength", Use(strength=1), Use(precision=LEAVE_OUT))
        self._open = functools.partial(
            engines.open,
            engine=options.engine,
            device=options.device,
            precision=cast("Precision", options.precision),
        )
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()
        if not self.classical:
            self._engine(self.family[0])

    @property
    def classical(self) -> bool:
        """Whether the model is a resampler and not a network."""
        return self.family[0].card.architecture == zoo.CLASSICAL

    def made_for(self, scale: int) -> bool:
        """Returns whether one network has exactly this scale; a resampler has every scale."""
        return self.classical or any(step.scale == scale for step in zoo.chain_steps(self.family))

    def chain(self, image: tuple[int, int], target: tuple[int, int]) -> list[ChainStep]:
        """Returns the models that enlarge (height, width) `image` to `target`, first to last; none where it shrinks."""
        steps = zoo.plan_chain(self.family, max(target[0] / image[0], target[1] / image[1]))
        zoo.check_strength([step.model for step in steps], self.options.strength)
        return steps

    def stream(
        self,
        image: Image | Strips,
        size: Size | float,
        meter: ConsistencyMeter | None = None,
        noise: Noise | None = None,
        view: int | None = None,
    ) -> Strips:
        """Enlarge an `Image` row by row.

        Args:
            image: The image; its rows are read as they are needed.
            size: The size of the result, or its scale.
            meter: Gets the rows of the image and of the result.
            noise: Draws one of the possible results, see `samples`; None for the one that the model gives always.
            view: See `Pipeline`.

        Returns:
            The rows of the result, computed as they are read.
        """
        before = image.header.height, image.header.width
        target = resolve_size(size, *before)
        return self.pipeline(before, target, noise, view).stream(image, *target, meter)

    def pipeline(
        self,
        before: tuple[int, int],
        target: tuple[int, int],
        noise: Noise | None = None,
        view: int | None = None,
    ) -> Pipeline:
        """Returns a pipeline from (height, width) `before` to `target`, for many images of one size.

        Raises:
            UsageError: There is noise, and the model draws no samples.
        """
        stages = []
        for number, step in enumerate(self.chain(before, target)):
            name, whole = step.model.card.name, step.model.card.whole
            if noise is None:
                stages.append(Stage(self._engine(step.model), name, step.enlarge, whole))
            else:
                latent = int(step.model.card.config.get("latent", 0))
                engine = self._engine(step.model, sampling=True)
                stages.append(Stage(engine, name, step.enlarge, whole, noise.at_stage(number), latent))
        kernel: Kernel = "lanczos" if self.classical and self.family[0].card.name == "lanczos" else "bicubic"
        tta = self.options.tta and view is None
        return Pipeline(stages, kernel, self.options.tile, tta, damping_of(self.options.faithful), view)

    def check_draws(self) -> None:
        """Raise `UsageError` if the model cannot draw several possible results."""
        for model in self.family:
            if model.sampler is None:
                raise UsageError(f"{model.card.name} draws no samples", Use(model="vae"), Use(samples=LEAVE_OUT))

    def _engine(self, model: Model, *, sampling: bool = False) -> Engine:
        key = f"{model.card.name}, samples" if sampling else model.card.name
        with self._lock:
            if key not in self._engines:
                zoo.verify(model)
                self._engines[key] = self._open_sampler(model) if sampling else self._open(model)
            return self._engines[key]

    def _open_sampler(self, model: Model) -> Engine:
        self.check_draws()
        assert model.sampler is not None
        # It exists in ONNX only, so an engine that `auto` prefers for its weights could not open it.
        engine = "onnxruntime" if self.options.engine == "auto" else self.options.engine
        return self._open(engines.open_file(model.sampler), engine=engine)

    def file(
        self,
        source: Path | bytes,
        target: Path,
        size: Size | float,
        *,
        force: bool = False,
        quality: int | None = None,
        strict: bool = False,
        observe: Callable[[Progress], None] = lambda progress: None,
        stop: Stop | None = None,
        error_map: ErrorMapRequest | None = None,
        noise: Noise | None = None,
        seen: Callable[[Array], None] | None = None,
        origin: bool | None = None,
    ) -> Outcome:
        """Enlarge an image file, or the bytes of one, into a file with all its metadata.

        Args:
            source: The file, or its bytes.
            target: The file to write; its ending decides the format.
            size: The size of the result, or its scale.
            force: Overwrite `target` if it exists.
            quality: From 1 to 100, for formats that have a quality.
            strict: Raise `DamagedFile` for a JPEG or PNG that lacks only its end marker, instead of a warning.
            observe: Called after each block of rows.
            stop: Checked before each block of rows.
            error_map: What to write about the expected errors; only for single images.
            noise: See `stream`.
            seen: Gets the rows of the result, as stored.
            origin: Whether the file states which software and models made it; None for models that invent or restore.

        Returns:
            The sizes, the models and the number of frames.

        Raises:
            UsageError, DamagedFile: As `upscale` does.
            Stopped: `stop` was set; no file is left.
        """
        may_write(target, source, force=force)
        stop = stop or Stop()
        before = after = (0, 0)
        meters: list[ConsistencyMeter | None] = []
        with (
            _memory(),
            contextlib.ExitStack() as held,
            formats.read(source, strict=strict) as opened,
            formats.write(target, opened, quality=quality) as sink,
        ):
            for frame, image in enumerate(opened):
                before = image.header.height, image.header.width
                after = resolve_size(size, *before)
                if frame == 0:
                    warn_of_stretching(size, before, target)
                check_rows(image.header, *after)
                if error_map is None:
                    meter = ConsistencyMeter.for_result(image.header, *after)
                elif opened.frames > 1:
                    raise UsageError("error maps and reports are for single images", Use(error_map=LEAVE_OUT))
                else:
                    meter = held.enter_context(open_meter(error_map, image.header, *after))
                strips = self.with_origin(self.stream(image, size, meter, noise), before, origin)
                sink.write(observe_rows(strips, frame, opened.frames, observe, stop, seen))
                meters.append(meter)
            names = self.names(before, after)
            shares = None
            if error_map is not None and isinstance(meter, ReducingMeter):
                several = held.enter_context(Moments(image.header.resized(*after)))
                del image, strips  # their pixels are not needed for the map
                if isinstance(meter, ErrorMeter):
                    collect_results(error_map.source, functools.partial(self._again, source, size), several)
                shares = write_error_map(error_map, meter, names, several)
            warn_of_departure(meters, target.name)
            name = "-" if isinstance(source, bytes) else str(source)
            return Outcome(
                name,
                str(target),
                "image",
                before=before,
                after=after,
                models=names,
                frames=opened.frames,
                lr_psnr=lowest_lr_psnr(meters),
                expected_errors=shares,
            )

    def with_origin(self, strips: Strips, before: tuple[int, int], stated: bool | None) -> Strips:
        """Returns a result, made of (height, width) `before`, whose file states its origin; see `origin`."""
        names = self.names(before, (strips.header.height, strips.header.width))
        return state_origin(strips, names, [model.card for model in self.family], stated)

    def _again(
        self, source: Path | bytes, size: Size | float, noise: Noise | None, view: int | None
    ) -> Iterator[Array]:
        """The rows of one of several results for an image file."""
        with formats.read(source) as opened:
            yield from self.stream(next(iter(opened)), size, None, noise, view).rows

    def names(self, before: tuple[int, int], after: tuple[int, int]) -> tuple[str, ...]:
        """Returns the names of the networks that enlarge (height, width) `before` to `after`, or of the resampler."""
        if steps := self.chain(before, after):
            return tuple(step.model.card.name for step in steps)
        return () if before == after else (self.family[0].card.name if self.classical else "bicubic",)

    def encoded(self, data: bytes, size: Size | float) -> bytes:
        """Enlarge the bytes of an image file. Returns the bytes of a file of the same format."""
        with tempfile.TemporaryDirectory(prefix="hyperacuity-") as folder:
            path = Path(folder, "result" + formats.ending_of_content(data))
            self.file(data, path, size)
            return path.read_bytes()

    def array(self, pixels: Array, size: Size | float, noise: Noise | None = None) -> Array:
        """Enlarge pixels of shape (H, W) or (H, W, C). Returns an array of that type; see `upscale` and `stream`."""
        order = pixels.dtype
        pixels = np.asarray(pixels, order.newbyteorder("="))
        if pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise UsageError(f"pixels of {pixels.dtype}: convert to uint8, uint16, or float32 in [0, 1] first")
        channels = pixels.shape[2] if pixels.ndim == 3 else 1
        if pixels.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in pixels.shape:
            raise UsageError(f"pixels of shape {pixels.shape}: give (H, W) or (H, W, C) with 1 to 4 channels")
        image = Image.from_pixels(pixels, alpha=channels in (2, 4))
        with _memory():
            result = self.stream(image, size, noise=noise).gather().pixels.astype(order, copy=False)
        return result[..., 0] if pixels.ndim == 2 else result

    def samples(
        self, pixels: Array, size: Size | float, count: int = 5, *, seed: int = 0, temperature: float = 1.0
    ) -> Array:
        """Draw several possible results, with a model that can, such as "vae".

        Args:
            pixels: As for `array`.
            size: The size of the results, or their scale.
            count: How many.
            seed: Another one gives other samples; the same one gives the same, with any tiles.
            temperature: How far samples differ: 1 as the network learnt, 0 not at all.

        Returns:
            (N, H, W) or (N, H, W, C) of the type of the pixels.

        Raises:
            UsageError: The model draws no samples.

        Example:
            >>> import hyperacuity
            >>> vae, pixels = hyperacuity.load("vae-x2"), np.zeros((8, 9, 3), np.uint8)
            >>> vae.samples(pixels, 2, count=3, seed=7).shape
            (3, 16, 18, 3)
        """
        self.check_draws()
        noises = (Noise(seed, number, temperature) for number in range(1, count + 1))
        return np.stack([self.array(pixels, size, noise) for noise in noises])

    def error_map(
        self, pixels: Array, result: Array, source: str = "network", calibration: Calibration | None = None
    ) -> NDArray[np.float32]:
        """Return for each pixel of a result the error of luma that it stays below with a probability of 90 %.

        Args:
            pixels: The input of `array`.
            result: What `array` returned for it, at exactly 2, 3 or 4 times the size.
            source: What the map is computed from, see `error_maps.ErrorMapRequest`.
            calibration: None for that of the package.

        Returns:
            (H, W) in grey levels of 8 bits, whatever the type of the pixels.

        Raises:
            UsageError: The result has another size.

        Example:
            >>> import hyperacuity
            >>> upscaler, pixels = hyperacuity.load("fsrcnn"), np.zeros((10, 12, 3), np.uint8)
            >>> upscaler.error_map(pixels, upscaler.array(pixels, 2)).shape
            (20, 24)
        """
        before, after = ((plane.shape[0], plane.shape[1]) for plane in (pixels, result))
        images = (
            Image.from_pixels(each, alpha=each.ndim == 3 and each.shape[2] in (2, 4)) for each in (pixels, result)
        )
        luma, made = (luma_levels(image.pixels, image.header) for image in images)
        scale = scale_of(before, after)
        calibration = calibration or find_calibration(self.names(before, after)[-1], scale, source)
        if source == "network":
            return compute_error_map(luma, made, calibration)
        size = Size(width=after[1], height=after[0])
        image = Image.from_pixels(pixels, alpha=pixels.ndim == 3 and pixels.shape[2] in (2, 4))
        with Moments(image.header.resized(*after)) as moments:
            collect_results(source, lambda *drawn: self.stream(image, size, None, *drawn).rows, moments)
            return np.concatenate(list(smoothed_spread(moments, calibration)))

    def pil(self, image: PIL.Image.Image, size: Size | float) -> PIL.Image.Image:
        """Enlarge a PIL image. Modes other than L, LA, RGB, RGBA, I;16 and F become RGB or RGBA.

        Raises:
            UsageError: The mode is I, whose 32 bits do not define a white level.
        """
        import PIL.Image

        result = PIL.Image.fromarray(self.array(pil_pixels(image), size))
        # The colour profile of such a mode does not describe the RGB image that it became.
        kept = ("exif", "dpi") if image.mode in ("CMYK", "LAB", "YCbCr", "HSV") else ("icc_profile", "exif", "dpi")
        result.info = {key: image.info[key] for key in kept if key in image.info}
        return result
