"""Writes the error map of a result: its luma is collected while rows stream by, and its map is computed at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats, machine
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.photo.spool import keeping
from hyperacuity.image import Header, Strips
from hyperacuity.pipeline import VIEWS, Noise
from hyperacuity.trust import (
    SOURCES,
    Calibration,
    ConsistencyMeter,
    ErrorShares,
    LumaSpool,
    Moments,
    ReducedImage,
    ReducedImages,
    coloured_rows,
    error_rows,
    find_calibration,
    find_scale,
    legend,
    luma_levels,
    scale_of,
    smoothed_spread,
)

# Values of a written map for each grey level.
_STEPS = 256
_LARGEST = 65535
# Bytes of a map that are kept in memory; more would make large images need more memory than without a map.
_KEPT = 32 << 20


@dataclass(frozen=True)
class ErrorMapRequest:
    """What to write about the errors of a result.

    Attributes:
        path: The file; its ending is that of a format with 16 bits of grey, such as .png or .tif; None computes the
            shares only.
        look: Whether to write colours with a legend instead of numbers.
        source: What the map is computed from: "network", the one that was trained for it; "tta", how far the results
            for the eight flips and rotations of the input differ; "samples", how far samples differ.
        dirty: Whether the input is not clean, which the legend then says.
        calibration: A file of `hyperacuity calibrate`; None for the calibration of the package.
        reduced: Gets small copies for a report; None if there is none. A report without a `path` is also written about
            results at scales for which there are no error maps.
    """

    path: Path | None = None
    look: bool = False
    source: str = "network"
    dirty: bool = False
    calibration: Path | None = None
    reduced: Callable[[ReducedImages], None] | None = None

    def __post_init__(self) -> None:
        if self.path is not None and self.path.suffix.lower() not in (".png", ".tif", ".tiff"):
            raise UsageError(f"{self.path}: an error map is written as .png or .tif")
        if self.source not in SOURCES:
            raise UsageError(f"an error map from {self.source!r}: give {', '.join(SOURCES)}")


class ReducingMeter(ConsistencyMeter):
    """Measures LR-PSNR, and keeps small copies of the input and of the result.

    Args:
        header: The input's.
        height: Of the result, in pixels.
        width: Likewise.
    """

    def __init__(self, header: Header, height: int, width: int) -> None:
        super().__init__(header, height, width)
        self._small = ReducedImage(header.height, header.width), ReducedImage(height, width)

    def add_source(self, rows: NDArray[Any]) -> None:
        """Add the next rows of the input, as stored."""
        super().add_source(rows)
        self._small[0].add(rows)

    def add_result(self, rows: NDArray[Any]) -> None:
        """Add the next rows of the result, as stored."""
        super().add_result(rows)
        self._small[1].add(rows)

    def reduced(self, errors: ReducedImage | None) -> ReducedImages:
        """Returns the small copies, when all rows are added; alpha is left out.

        Args:
            errors: That of the error map.
        """
        black, white = self._header.levels
        levels = ((each.pixels[..., : self._header.colours] - black) * (255 / (white - black)) for each in self._small)
        source, result = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in levels)
        return ReducedImages(source, result, None if errors is None else errors.pixels)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free what was kept."""


class ErrorMeter(ReducingMeter):
    """Measures LR-PSNR, and keeps the luma that an error map needs.

    Args:
        header: The input's.
        height: Of the result, in pixels.
        width: Likewise.

    Raises:
        UsageError: If there are no error maps at this scale.
    """

    def __init__(self, header: Header, height: int, width: int) -> None:
        self.scale = scale_of((header.height, header.width), (height, width))
        super().__init__(header, height, width)
        self._files = contextlib.ExitStack()
        self.source = self._files.enter_context(LumaSpool(header.height, header.width))
        self.result = self._files.enter_context(LumaSpool(height, width))

    def add_source(self, rows: NDArray[Any]) -> None:
        """Add the next rows of the input, as stored."""
        super().add_source(rows)
        self.source.add(luma_levels(rows, self._header))

    def add_result(self, rows: NDArray[Any]) -> None:
        """Add the next rows of the result, as stored."""
        super().add_result(rows)
        self.result.add(luma_levels(rows, self._header))

    def errors(self, calibration: Calibration) -> Iterator[NDArray[np.float32]]:
        """Yields the rows of the error map (h, W) in grey levels, when all rows are added."""
        return error_rows(self.source, self.result, self.scale, calibration)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()


def open_meter(request: ErrorMapRequest, header: Header, height: int, width: int) -> ReducingMeter:
    """Returns what measures a result for a request: an `ErrorMeter` unless only a report is wanted at another scale.

    Args:
        request: What will be written.
        header: The input's.
        height: Of the result, in pixels.
        width: Likewise.

    Raises:
        UsageError: If there are no error maps at this scale, or no report about a result of this size.
    """
    before = header.height, header.width
    if request.path is not None or find_scale(before, (height, width)) is not None:
        return ErrorMeter(header, height, width)
    if height < header.height or width < header.width:
        raise UsageError("a report is about a result that is not smaller than its input", Use(report=LEAVE_OUT))
    return ReducingMeter(header, height, width)


def calibration_for(request: ErrorMapRequest, model: str, scale: int) -> Calibration:
    """Returns the calibration that a request names, or that of the package for a model."""
    if request.calibration:
        return Calibration.load(request.calibration)
    return find_calibration(model, scale, request.source)


def collect_results(
    source: str, result: Callable[[Noise | None, int | None], Iterable[NDArray[Any]]], moments: Moments
) -> None:
    """Compute the results whose spread an error map is made of.

    Args:
        source: "tta" for the eight flips and rotations of the input, "samples" for eight samples, "network" for none.
        result: Returns the rows of a result, for some noise or through one of the flips and rotations.
        moments: Gets all rows.
    """
    for number in range(0 if source == "network" else VIEWS):
        moments.begin()
        for rows in result(Noise(sample=number + 1), None) if source == "samples" else result(None, number):
            moments.add(rows)


def write_error_map(
    request: ErrorMapRequest, meter: ReducingMeter, models: Sequence[str], several: Moments
) -> dict[str, float] | None:
    """Compute the error map of a result, and write it; where there is none, only a report gets its small copies.

    Args:
        request: What to write.
        meter: Has got all rows of the input and of the result.
        models: The names of the models that computed the result, first to last.
        several: The results whose spread the map is computed from, unless the network is the source.

    Returns:
        The shares of pixels by expected error; None without a map.
    """
    if not isinstance(meter, ErrorMeter):
        if request.reduced is not None:
            request.reduced(meter.reduced(None))
        return None
    machine.return_freed_memory()  # what enlarging used would otherwise add to what the map needs
    shares = ErrorShares()
    calibration = calibration_for(request, models[-1], meter.scale)
    errors = meter.errors(calibration) if request.source == "network" else smoothed_spread(several, calibration)
    rows = shares.observed(errors)
    small = ReducedImage(meter.result.height, meter.result.width)
    _write_rows(request, meter, rows if request.reduced is None else _observed(rows, small))
    if request.reduced is not None:
        request.reduced(meter.reduced(small))
    return shares.shares


def _write_rows(request: ErrorMapRequest, meter: ErrorMeter, rows: Iterator[NDArray[np.float32]]) -> None:
    """Write the rows of a map as requested, or pass over them."""
    if request.path is None:
        for _ in rows:
            pass
        return
    height, width = meter.result.height, meter.result.width
    if not request.look:
        write_levels(request.path, height, width, rows)
        return
    with keeping(_KEPT), formats.write(request.path, None) as sink:
        total = height + len(legend(width, dirty=request.dirty))
        header = Header(total, width, 3, np.dtype(np.uint8), (0, 255))
        sink.write(Strips(header, coloured_rows(rows, width, dirty=request.dirty)))


def write_levels(path: Path, height: int, width: int, rows: Iterable[NDArray[np.float32]]) -> None:
    """Write grey levels (h, width) as 16 bits of grey: 256 for a grey level of 255, at most 65535."""
    header = Header(height, width, 1, np.dtype(np.uint16), (0, _LARGEST))
    with keeping(_KEPT), formats.write(path, None) as sink:
        sink.write(Strips(header, (_codes(block) for block in rows)))


def _observed(rows: Iterator[NDArray[np.float32]], small: ReducedImage) -> Iterator[NDArray[np.float32]]:
    """The same rows, each of which `small` gets."""
    for block in rows:
        small.add(block)
        yield block


def _codes(errors: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.clip(np.rint(errors * _STEPS), 0, _LARGEST).astype(np.uint16)[..., None]
