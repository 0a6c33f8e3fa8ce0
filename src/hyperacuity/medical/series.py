"""Enlarges DICOM: one file, or all series in a folder, each with one range."""

from __future__ import annotations

import json
import secrets
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hyperacuity
from hyperacuity import values
from hyperacuity.counting import counted
from hyperacuity.errors import OTHER, UnsupportedFormat, UsageError, Use
from hyperacuity.formats.dicom import find_files
from hyperacuity.formats.dicom.derivation import Derivation
from hyperacuity.formats.dicom.slices import DicomImage
from hyperacuity.formats.dicom.writing import write_dataset
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.image import BandRange, Header, Measured, Survey
from hyperacuity.medical import provenance
from hyperacuity.medical.padding import PaddingWarning, find_undeclared_padding
from hyperacuity.medical.slices import SliceEnlarger, describe, with_survey
from hyperacuity.pipeline.box_consistency import Consistency
from hyperacuity.size import Size
from hyperacuity.storage import real_path, storing
from hyperacuity.task import MeasurementOptions, Outcome, Progress, Stop
from hyperacuity.upscaler import Upscaler


def upscale_series(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: MeasurementOptions,
    observe: Callable[[Progress], None],
    stop: Stop,
) -> Outcome:
    """Enlarge a file, or a folder into a folder; see `run.upscale`."""
    folder = source.is_dir()
    groups = _group(find_files(source) if folder else [source], source, target)
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part") if folder else None
    total, done = sum(image.frames for group in groups for image in group), 0
    work = []

    def count() -> None:
        nonlocal done
        stop.check()
        done += 1
        observe(Progress(done / total, frame=done - 1, frames=total))

    try:
        with storing(target):
            if temporary is not None:
                temporary.mkdir()
            for group in groups:
                series = _Series(upscaler, group, size, options, stop)
                for image in group:
                    series.write(image, (temporary / image.path.name) if temporary else target, count)
                series.warn(target.name)
                work.append(series)
            if temporary is not None:
                _put_in_place(temporary, target)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return Outcome(
        str(source),
        str(target),
        "volume",
        before=work[0].before,
        after=work[0].after,
        models=work[0].enlarger.models,
        frames=total,
        consistency="; ".join(dict.fromkeys(text for series in work if (text := series.consistency()))),
    )


def _group(paths: Sequence[Path], source: Path, target: Path) -> list[list[DicomImage]]:
    """The images by series and grid; warns of files that are not images.

    Raises:
        UnsupportedFormat: If no file is an image.
    """
    groups: dict[object, list[DicomImage]] = {}
    refused: list[UnsupportedFormat] = []
    for path in paths:
        try:
            image = DicomImage(path)
        except UnsupportedFormat as error:
            refused.append(error)
            continue
        groups.setdefault(image.grid, []).append(image)
    if not groups:
        if len(refused) == 1:
            raise refused[0]
        raise UnsupportedFormat(f"{source} holds no image of DICOM")
    if refused:
        left_out = counted(len(refused), "file without an image is", "files without an image are")
        message = f"{target.name}: {left_out} left out"
        warnings.warn(LossWarning(message), stacklevel=3)
    if len(groups) > 1:
        message = f"{target.name}: {len(groups)} series or sizes of slices, each of which has a range of its own"
        warnings.warn(LossWarning(message), stacklevel=3)
    return list(groups.values())


def _put_in_place(temporary: Path, target: Path) -> None:
    """Make a folder the target in one step, or replace the slices of a target that exists: its other files stay."""
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        names = {path.name for path in temporary.iterdir()}
        for name in names:
            (temporary / name).replace(target / name)
        for old in find_files(target):
            if old.name not in names:
                old.unlink()


class _Series:
    """Slices of one series and grid, which have one range.

    Attributes:
        before: (height, width) of the slices.
        after: Of the results.
        enlarger: What enlarges them.
    """

    def __init__(
        self, upscaler: Upscaler, images: Sequence[DicomImage], size: Size, options: MeasurementOptions, stop: Stop
    ) -> None:
        first = images[0]
        self._images, self._options = images, options
        self.header = first.image_header(options.padding)
        self.before = self.header.height, self.header.width
        self.after = size.resolve(*self.before)
        self._rescaled = len({image.rescaling(n) for image in images for n in range(image.frames)}) > 1
        self._suspect: float | None = None
        self._survey = None if options.categorical else self._find_range(stop)
        self.enlarger = SliceEnlarger(
            upscaler,
            with_survey(self.header, self._survey, categorical=options.categorical),
            self.after,
            consistent=options.consistent,
        )
        self._record = provenance.record(
            upscaler, self.before, self.after, self.enlarger.models, self._survey, consistent=options.consistent
        )
        self._lost: dict[str, None] = {}

    def _find_range(self, stop: Stop) -> Survey:
        """The range of all slices: of stored values, or of rescaled ones if slices are scaled differently."""
        header = self.header
        if self._rescaled:
            header = replace(header, dtype=np.dtype(np.float64), measured=Measured())
        surveyor = values.Surveyor(header)
        for image in self._images:
            own = image.image_header(self._options.padding)
            for frame, pixels in enumerate(image):
                stop.check()
                surveyor.add(_real_values(pixels, own, image.rescaling(frame)) if self._rescaled else pixels)
                if self._suspect is None:
                    self._suspect = find_undeclared_padding(pixels, own, image, frame)
        survey = surveyor.finish()
        if not any(survey.ranges):
            raise UsageError(f"{self._images[0].path}: no pixel is valid, so there is nothing to enlarge")
        return survey

    def _own_header(self, image: DicomImage, frame: int) -> Header:
        """The header of a frame, with the range in its own stored values."""
        header = image.image_header(self._options.padding)
        survey = self._survey
        if survey is not None:
            slope, intercept = image.rescaling(frame) if self._rescaled else (1.0, 0.0)
            ranges = [None if each is None else each.mapped(1 / slope, -intercept / slope) for each in survey.ranges]
            if image.grid.photometric == "MONOCHROME1":
                ranges = [None if each is None else _inverted(each) for each in ranges]
            survey = replace(survey, ranges=tuple(ranges))
        return with_survey(header, survey, categorical=self._options.categorical)

    def write(self, image: DicomImage, path: Path, count: Callable[[], None]) -> None:
        """Enlarge one file into another."""
        total = self.enlarger.found
        self.enlarger.found = Consistency.of_bands(self.header.colours)
        frames = []
        for frame, pixels in enumerate(image):
            frames.append(self.enlarger.enlarge(pixels, self._own_header(image, frame)))
            count()
        slope, intercept = image.rescaling(0)
        content = provenance.with_consistency(self._record, self.enlarger.found, slope, intercept)
        for name in write_dataset(
            path, image, np.stack(frames), self._derivation(content), keep_private=self._options.keep_private
        ):
            self._lost[name] = None
        self.enlarger.found = _sum(total, self.enlarger.found)

    def _derivation(self, content: dict[str, object]) -> Derivation:
        down, across = (new / old for new, old in zip(self.after, self.before, strict=True))
        scale = f"x{across:.4g}" if across == down else f"x{across:.4g} x{down:.4g}"
        model = " + ".join(self.enlarger.models) or "same size"
        found = ""
        if "consistency_rms" in content:
            found = f"; box mean against the source: rms {_figures(content, 'consistency_rms')}, max "
            found += _figures(content, "consistency_max")
        weights = [str(each)[:16] for each in self._record["weights_sha256"]]
        text = (
            f"Enlarged in plane {scale} by Hyperacuity {hyperacuity.__version__} ({model}"
            + (f", weights {' '.join(weights)}" if weights else "")
            + (", box means made equal" if self._options.consistent else "")
            + f"){found}. {provenance.NOT_FOR_DIAGNOSIS}"
        )
        return Derivation(
            f"Hyperacuity {hyperacuity.__version__}",
            json.dumps({**self._record, "padding": self._options.padding}, sort_keys=True),
            f"{scale} {self.enlarger.models[0] if self.enlarger.models else ''}".strip()[:32],
            text,
            " ".join(self._record["weights_sha256"]),
        )

    def warn(self, name: str) -> None:
        """Warn of what the files of the series have lost, and of what looks like padding."""
        if self._suspect is not None:
            message = (
                f"{name}: the constant {self._suspect:g} in the corners looks like padding, but is not declared as it"
            )
            warnings.warn(PaddingWarning(message, Use(padding=self._suspect)), stacklevel=3)
        if self._lost:
            message = f"{name}: left out: {'; '.join(self._lost)}"
            warnings.warn(LossWarning(message, Use(keep_private=True)), stacklevel=3)

    def consistency(self) -> str:
        """How near the results are, in words."""
        image = self._images[0]
        slope = image.rescaling(0)[0]
        survey = self._own_header(image, 0).measured
        return describe(self.enlarger.found, None if survey is None else survey.survey, slope, image.unit)


def check_target(target: Path, source: Path, *, force: bool) -> None:
    """Raise `UsageError` if a folder must not be written: it holds slices or the input, or a file would be replaced."""
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file, but a series needs a folder", Use(output=OTHER))
    if target.exists() and any(target.iterdir()):
        if target.samefile(source) or real_path(source).is_relative_to(real_path(target)):
            raise UsageError(f"{target} holds the input; choose another name")
        if not force and (find_files(target) or any((target / path.name).exists() for path in find_files(source))):
            raise UsageError(f"{target} exists", Use(output=OTHER), Use(force=True))


def _figures(content: dict[str, object], name: str) -> str:
    figures = content[name]
    assert isinstance(figures, list)
    return " ".join(f"{figure:.4g}" for figure in figures)


def _real_values(pixels: NDArray[Any], header: Header, rescaling: tuple[float, float]) -> NDArray[np.float64]:
    """Rescaled values; NaN for invalid ones."""
    slope, intercept = rescaling
    real: NDArray[np.float64] = np.where(values.find_valid(pixels, header), pixels * slope + intercept, np.nan)
    return real


def _inverted(known: BandRange) -> BandRange:
    """The range of an image whose low values are bright."""
    return replace(known, low=known.high, high=known.low)


def _sum(one: Consistency, other: Consistency) -> Consistency:
    return Consistency(
        one.squares + other.squares,
        np.maximum(one.most, other.most),
        one.count + other.count,
        one.before + other.before,
        one.after + other.after,
    )
