"""Draws several possible results of one image: files of samples, their mean, and their spread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.error_maps import ErrorMapRequest, open_meter, write_error_map, write_levels
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.image import Image, Strips
from hyperacuity.pipeline import Noise
from hyperacuity.size import Size, resolve_size
from hyperacuity.storage import may_write
from hyperacuity.task import Outcome, Progress, Stop
from hyperacuity.trust import Moments
from hyperacuity.upscaler import Upscaler

MOST = 100


@dataclass(frozen=True)
class SampleRequest:
    """How many samples to draw, and which.

    Attributes:
        count: From 2 to 100.
        seed: Another one gives other samples; the same one gives the same, with any tiles and on any number of cores.
        temperature: How far samples differ: 1 as the network learnt, 0 not at all.

    Raises:
        UsageError: The count or the temperature is out of range.
    """

    count: int
    seed: int = 0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 2 <= self.count <= MOST:
            raise UsageError(f"{self.count} samples: give 2 to {MOST}", Use(samples=5))
        if not 0 <= self.temperature <= 4:
            raise UsageError(f"a temperature of {self.temperature:g}: give 0 (no difference) to 4", Use(temperature=1))

    def noises(self) -> list[Noise]:
        """Returns the noise of each sample."""
        return [Noise(self.seed, number, self.temperature) for number in range(1, self.count + 1)]


@dataclass(frozen=True)
class SamplePaths:
    """The files of samples.

    Attributes:
        samples: "photo-x2-sample-1.png" and so on, for the result "photo-x2.png", which holds their mean.
        spread: "photo-x2-spread.png".

    Example:
        >>> paths = SamplePaths.next_to(Path("photo-x2.jpg"), 10)
        >>> paths.samples[0].name, paths.spread.name
        ('photo-x2-sample-01.jpg', 'photo-x2-spread.png')
    """

    samples: tuple[Path, ...]
    spread: Path

    @classmethod
    def next_to(cls, target: Path, count: int) -> SamplePaths:
        """Returns the paths for a result."""
        digits = len(str(count))
        names = (f"{target.stem}-sample-{number:0{digits}}{target.suffix}" for number in range(1, count + 1))
        return cls(tuple(map(target.with_name, names)), target.with_name(f"{target.stem}-spread.png"))


def write_samples(
    upscaler: Upscaler,
    source: Path | bytes,
    target: Path,
    size: Size | float,
    *,
    request: SampleRequest,
    force: bool = False,
    quality: int | None = None,
    strict: bool = False,
    observe: Callable[[Progress], None] = lambda progress: None,
    stop: Stop | None = None,
    error_map: ErrorMapRequest | None = None,
    origin: bool | None = None,
) -> Outcome:
    """Draw samples of an image file into files: all of them, their mean, and their spread.

    The spread is the standard deviation of luma, written as an error map is: 16 bits, 256 for a grey level.

    Args:
        upscaler: A model that draws samples.
        source: The file, or its bytes.
        target: The file of the mean; `SamplePaths` names the others.
        size: The size of the results, or their scale.
        request: How many, and which.
        force, quality, strict, observe, stop, origin: See `Upscaler.file`.
        error_map: What to write about the expected errors of the mean.

    Returns:
        As `Upscaler.file`, with the names of all files; LR-PSNR is that of the worst sample.

    Raises:
        UsageError: The model draws no samples, a file exists, or the image has several frames.
        HyperacuityError: As `Upscaler.file` does.
    """
    upscaler.check_draws()
    if error_map is not None and error_map.source == "tta":
        raise UsageError("flips and rotations say nothing about samples", Use(error_map_source="samples"))
    paths = SamplePaths.next_to(target, request.count)
    for path in (target, *paths.samples, paths.spread):
        may_write(path, source, force=force)
    with contextlib.ExitStack() as held, contextlib.ExitStack() as made:
        with formats.read(source, strict=strict) as opened:
            if opened.frames > 1:
                raise UsageError("samples are for single images", Use(samples=LEAVE_OUT))
            header = next(iter(opened)).header
        after = resolve_size(size, header.height, header.width)
        moments = held.enter_context(Moments(header.resized(*after)))
        outcomes = []
        for number, (path, noise) in enumerate(zip(paths.samples, request.noises(), strict=True)):
            moments.begin()
            made.callback(path.unlink, missing_ok=True)  # not one of them if anything fails
            outcome = upscaler.file(
                source,
                path,
                size,
                force=force,
                quality=quality,
                strict=strict,
                observe=_shared(observe, number, request.count),
                stop=stop,
                noise=noise,
                seen=moments.add,
                origin=origin,
            )
            outcomes.append(outcome)
        made.callback(paths.spread.unlink, missing_ok=True)
        shares = _write_mean(upscaler, source, target, paths.spread, moments, quality, error_map, origin)
        made.pop_all()
    files = tuple(str(path) for path in (*paths.samples, paths.spread))
    found = [outcome.lr_psnr for outcome in outcomes if outcome.lr_psnr is not None]
    return replace(
        outcomes[0], target=str(target), lr_psnr=min(found, default=None), expected_errors=shares, samples=files
    )


def _write_mean(
    upscaler: Upscaler,
    source: Path | bytes,
    target: Path,
    spread: Path,
    moments: Moments,
    quality: int | None,
    error_map: ErrorMapRequest | None,
    origin: bool | None,
) -> dict[str, float] | None:
    """Write the mean, the spread, and the error map of the mean; returns the shares of its pixels by expected error."""
    height, width = moments.header.height, moments.header.width
    write_levels(spread, height, width, (levels for _, levels in moments.blocks()))
    with contextlib.ExitStack() as held:
        opened = held.enter_context(formats.read(source))
        image = next(iter(opened))
        meter = None if error_map is None else held.enter_context(open_meter(error_map, image.header, height, width))
        if meter is not None:
            for rows in (image.strips() if isinstance(image, Image) else image).rows:
                meter.add_source(rows)

        def means() -> Iterator[NDArray[Any]]:
            for mean, _ in moments.blocks():
                if meter is not None:
                    meter.add_result(mean)
                yield mean

        sink = held.enter_context(formats.write(target, opened, quality=quality))
        before = image.header.height, image.header.width
        sink.write(upscaler.with_origin(Strips(moments.header, means()), before, origin))
        if error_map is None or meter is None:
            return None
        return write_error_map(error_map, meter, upscaler.names(before, (height, width)), moments)


def _shared(observe: Callable[[Progress], None], number: int, count: int) -> Callable[[Progress], None]:
    """Reports the progress of one of several samples as that of all."""
    return lambda progress: observe(replace(progress, done=(number + progress.done) / count))
