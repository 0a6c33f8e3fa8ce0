"""One piece of work as plain records: a `Task`, its `Options`, its `Progress` and its `Outcome`; and `Stop`.

A task makes one result: an image or a video. The command line, a server and a cluster share only these records. Each of
them except `Stop` goes through JSON and back unchanged: `to_json`, `from_json`.
"""

from __future__ import annotations

import dataclasses
import threading
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from hyperacuity.errors import LEAVE_OUT, Curable, Cure, Run, UsageError, Use, cure_from_json, worded
from hyperacuity.size import Size


class Stopped(Exception):  # noqa: N818 - named after the event
    """The work ended because its `Stop` was set. Partial files are removed; data that a later run can resume stays."""


class Stop:
    """A request to end the work, set by the caller and checked by the work, from any threads.

    Example:
        >>> stop = Stop()
        >>> stop.set()
        >>> stop.is_set()
        True
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask the work to end at its next rows or frame."""
        self._event.set()

    def is_set(self) -> bool:
        """Returns whether the work is asked to end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` if the work is asked to end."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, at most `seconds`. Returns whether it is set."""
        return self._event.wait(seconds)


class Record:
    """A frozen dataclass that goes through JSON and back unchanged. Sizes and other records nest."""

    def to_json(self) -> dict[str, Any]:
        """Returns the record as data for `json.dumps`, without the fields that have their default value."""
        return {
            entry.name: _plain(getattr(self, entry.name))
            for entry in fields(self)  # type: ignore[arg-type]  # each subclass is a dataclass
            if getattr(self, entry.name) != _default(entry)
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record from which `to_json` made `content`.

        Raises:
            ValueError: For an unknown field or a value of the wrong type.
        """
        hints = typing.get_type_hints(cls)
        unknown = sorted(set(content) - set(hints))
        if unknown:
            raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}; there are {', '.join(hints)}")
        return cls(**{name: _typed(value, hints[name], name) for name, value in content.items()})


@dataclass(frozen=True)
class Message(Record):
    """An error or a warning as data.

    Attributes:
        text: The problem, without the cures.
        cures: Alternatives, the best first.
    """

    text: str
    cures: tuple[Cure, ...] = ()

    @classmethod
    def from_exception(cls, error: BaseException) -> Message:
        """Returns the message of an error or a warning; one of other libraries has no cures."""
        return cls(error.message, error.cures) if isinstance(error, Curable) else cls(str(error))

    def __str__(self) -> str:
        return worded(self.text, self.cures)


@dataclass(frozen=True)
class Options(Record):
    """How to compute, for every kind of task.

    `api.Upscaler` hands these options to engines and to the pipeline.

    Attributes:
        model: The name of a model ("acute-100k-x2") or of a family ("fast"); "auto" to choose by what the image or the
            video needs; None for "auto" with images and for the default model with videos.
        model_path: A model file instead of a name.
        engine, device, precision: See `engines.open`.
        tile: The largest side of a tile in input pixels; 0 for no tiles; None for as large as memory allows.
        tta: Whether to average over the eight flips and rotations.
        strength: For models with a natural partner: 0 for its weights, 1 for the model's own, and between them; None
            for the model's default.
        faithful: How closely the reduction of the result follows the input: 1 exactly, less only in part, 0 or None
            as the network made it, "auto" by how clean the input is. See `trust.damping_of`.

    Raises:
        UsageError: For a model by name and by file, a negative tile, or a strength or faithfulness outside [0, 1].
    """

    model: str | None = None
    model_path: str | None = None
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    tile: int | None = None
    tta: bool = False
    strength: float | None = None
    faithful: float | str | None = None

    def __post_init__(self) -> None:
        if self.model is not None and self.model_path is not None:
            raise UsageError(
                "a model is given both by name and by file",
                Use(model=LEAVE_OUT),
                Use(model_path=LEAVE_OUT),
            )
        if isinstance(self.tile, int) and self.tile < 0:
            raise UsageError(f"a tile of {self.tile} pixels: give 0 for no tiles, or a positive side")
        if isinstance(self.strength, int | float) and not 0 <= self.strength <= 1:
            raise UsageError(f"a strength of {self.strength:g}: give 0 (natural) to 1 (sharpest)")
        if isinstance(self.faithful, str) and self.faithful != "auto":
            raise UsageError(f"faithful {self.faithful!r}: give auto, or a number from 0 to 1")
        if isinstance(self.faithful, int | float) and not 0 <= self.faithful <= 1:
            raise UsageError(f"faithful {self.faithful:g}: give auto, or a number from 0 (off) to 1 (exact)")


@dataclass(frozen=True)
class ImageOptions(Record):
    """Options that only images have.

    Attributes:
        quality: From 1 to 100, for formats that have a quality; None for the format's default.
        ending: The format of an image on standard output, such as ".png"; None for that of the source.
        strict: Whether a JPEG or PNG that lacks only its end marker counts as damaged.
        error_map: The file for the error map, see `error_maps.ErrorMapRequest`; None for none.
        error_map_look: Whether the error map is for the eye: colours with a legend.
        error_map_source: What the error map is computed from, see `error_maps.ErrorMapRequest`.
        calibration: A file of `hyperacuity calibrate`; None for the calibration of the package.
        report: The file for a report about the result, .json or .html; None for none.
        samples: How many possible results to draw, see `sampling.SampleRequest`; None for the one that the model gives.
        seed: Which samples.
        temperature: How far samples differ.
        origin: Whether the file states which software and models made it; None for models that invent or restore.
    """

    quality: int | None = None
    ending: str | None = None
    strict: bool = False
    error_map: str | None = None
    error_map_look: bool = False
    error_map_source: str = "network"
    calibration: str | None = None
    report: str | None = None
    samples: int | None = None
    seed: int = 0
    temperature: float = 1.0
    origin: bool | None = None

    def refuse(self, kind: str) -> None:
        """Raise `UsageError` if options are given that a task of another kind, in words, cannot follow."""
        given = [name for name in self.to_json() if name not in ("ending", "strict")]
        if given:
            raise UsageError(f"{kind}, but options for images are given", Use(**dict.fromkeys(given, LEAVE_OUT)))


@dataclass(frozen=True)
class VideoOptions(Record):
    """Options that only videos have.

    Attributes:
        codec: A name from `formats.video.codecs.CODECS`, or "auto".
        crf: Quality on the codec's own scale, smaller is better; None for the codec's default.
        preset: The speed of the codec; None for the codec's default.
        encoder: More options of the encoder, as FFmpeg names them.
        start, duration: The part to upscale, in seconds, as fractions such as "1001/30"; None for the whole video.
        fps: Frames per second of a folder of frames, as a fraction; None for the default.
        deinterlace: Whether to make whole frames from interlaced fields.
        strict: Whether to end at the first damaged frame instead of repeating the frame before it.
        preview: Whether to write only one frame, before and after, as an image.
    """

    codec: str = "auto"
    crf: float | None = None
    preset: str | None = None
    encoder: Mapping[str, str] = field(default_factory=dict)
    start: str | None = None
    duration: str | None = None
    fps: str | None = None
    deinterlace: bool = False
    strict: bool = False
    preview: bool = False


@dataclass(frozen=True)
class MeasurementOptions(Record):
    """Options that only images of measurements have: satellite and medical ones.

    Attributes:
        consistent: Whether to make the box mean of the result equal to the input.
        categorical: Whether the values are names of classes, which only nearest may enlarge.
        cog: Whether to write a raster as cloud-optimised GeoTIFF.
        allow_generative: Whether a model that invents detail may be used.
        plane: The axes of the slices of a NIfTI volume: "xy", "xz" or "yz"; None for the two finest.
        through_plane: How many slices a NIfTI volume gets for each of its own, by a cubic spline; 1 for its own alone.
        padding: A stored value that marks pixels without a measurement, besides the one that a DICOM file declares.
        keep_private: Whether to keep private elements of DICOM files, which may restate the old geometry.
    """

    consistent: bool = False
    categorical: bool = False
    cog: bool = False
    allow_generative: bool = False
    plane: str | None = None
    through_plane: float = 1.0
    padding: float | None = None
    keep_private: bool = False


@dataclass(frozen=True)
class Task(Record):
    """A request for one result.

    Attributes:
        source: The path of a file, or a pattern of frames such as "frames/%06d.png"; "-" for a pipe.
        target: The path to write; "-" for a pipe.
        size: The size of the result.
        options: How to compute it.
        image, video, measurement: Options of these kinds; None if none was given.
        force: Whether to overwrite a result that exists.
        skip_existing: Whether a result that exists counts as done.
        explain: Whether to measure the source even where only one model can be chosen.
    """

    source: str
    target: str
    size: Size = field(default_factory=Size)
    options: Options = field(default_factory=Options)
    image: ImageOptions | None = None
    video: VideoOptions | None = None
    measurement: MeasurementOptions | None = None
    force: bool = False
    skip_existing: bool = False
    explain: bool = False


@dataclass(frozen=True)
class Choice(Record):
    """Why `auto` chose a model for an image or a video.

    Attributes:
        family: The family of models that was chosen.
        verdict: "clean", "between" or "dirty"; see `inspection.decide`.
        reason: The measurements that led to it, such as "JPEG quality 42, noise 5".
        advice: A sentence about what to expect of an unusual image; "" for all others.
        measurements: All of them by name, as in `inspection.Inspection`; without those that do not exist.
    """

    family: str
    verdict: str
    reason: str
    advice: str = ""
    measurements: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress(Record):
    """The progress of one task.

    Attributes:
        done: The share of the result that is computed, from 0 to 1.
        resumed: The share that an earlier run had computed.
        frame: The number of the frame that is being computed, from 0 on.
        frames: The number of frames, exact for images and estimated for videos.
        pixels: Pixels of the result computed since the report before; 0 where only frames are counted.
    """

    done: float
    resumed: float = 0.0
    frame: int = 0
    frames: int = 1
    pixels: int = 0


@dataclass(frozen=True)
class Outcome(Record):
    """The result of one task, or why there is none.

    Attributes:
        source, target: As in the task.
        kind: The kind of the task, such as "image" or "video"; "" if it failed before
            that was known.
        error: Why it failed; None if it did not.
        skipped: Whether the result existed already and was kept.
        before, after: (height, width) of the source and of the result.
        models: The networks that ran one after another, or the resampler.
        frames: The number of frames of the result.
        resumed: How many of them an earlier run had computed.
        damaged: How many of them replace damaged frames by the frame before.
        unchanged: The share of the network's work that was saved because pixels did not change between frames.
        lost: Metadata and streams of the source that the result lacks.
        seconds: How long the task took.
        choice: Why the models were chosen; None if the task named them, or if there was nothing to choose.
        consistency: How far the box mean of an image of measurements is from its source, in words; "" for all others.
        lr_psnr: How near the reduction of an image is to its source, in dB, at most 100; the lowest of all frames. None
            for videos and for results that are smaller than their source.
        expected_errors: The share of pixels by expected error in grey levels, if an error map or report was requested.
        samples: The files of the samples, and of their spread; `target` is their mean.
    """

    source: str
    target: str
    kind: str = ""
    error: Message | None = None
    skipped: bool = False
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    models: tuple[str, ...] = ()
    frames: int = 0
    resumed: int = 0
    damaged: int = 0
    unchanged: float = 0.0
    lost: tuple[Message, ...] = ()
    seconds: float = 0.0
    choice: Choice | None = None
    consistency: str = ""
    lr_psnr: float | None = None
    expected_errors: Mapping[str, float] | None = None
    samples: tuple[str, ...] = ()


def _default(entry: dataclasses.Field[Any]) -> Any:
    return entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()


def _plain(value: Any) -> Any:
    if isinstance(value, Use | Run):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(v) for f in fields(value) if (v := getattr(value, f.name)) != _default(f)}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def _typed(value: Any, hint: Any, name: str) -> Any:
    """The value of a field of type `hint` from which `_plain` made `value`."""
    origin = typing.get_origin(hint)
    if hint == Cure:
        return cure_from_json(value)
    if origin is types.UnionType:
        inner = [each for each in typing.get_args(hint) if each is not types.NoneType]
        if len(inner) > 1 and isinstance(value, str) and str in inner:
            return value
        return None if value is None else _typed(value, inner[0], name)
    if isinstance(hint, type) and issubclass(hint, Record) and isinstance(value, Mapping):
        return hint.from_json(value)
    if hint is Size and isinstance(value, Mapping):
        return Size(**value)
    if origin is tuple and isinstance(value, list):
        entry = typing.get_args(hint)[0]
        return tuple(_typed(each, entry, name) for each in value)
    expected = (int, float) if hint is float else (Mapping if origin is not None and origin is not tuple else hint)
    if not isinstance(value, expected) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{name}: {value!r} is not of type {getattr(hint, '__name__', hint)}")
    return value
