"""What the work is, as plain records: a `Task`, its `Options`, its `Progress` and its `Outcome`; and how to `Stop` it.

One task makes one result: an image, a video. Whoever runs tasks (the command line, a server, a cluster) holds these
records and nothing else of each other. All of them but `Stop` go through JSON and back unchanged: `to_json`,
`from_json`.
"""

from __future__ import annotations

import dataclasses
import threading
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from hyperacuity.size import Size


class Stopped(Exception):  # noqa: N818 - it says what happened
    """The work ended because its `Stop` was set; what it had half written is gone, what can be resumed stays."""


class Stop:
    """A request to end, set by whoever wants the work ended and checked by the work, from any thread.

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
        """Whether the work is to end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises `Stopped` where the work is to end."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until it is set. Returns whether it is."""
        return self._event.wait(seconds)


class Record:
    """A frozen dataclass that goes through JSON and back unchanged. Sizes and other records nest."""

    def to_json(self) -> dict[str, Any]:
        """Returns the record as what `json.dumps` takes, without the fields that have their default."""
        return {
            entry.name: _plain(getattr(self, entry.name))
            for entry in fields(self)  # type: ignore[arg-type]  # each subclass is a dataclass
            if getattr(self, entry.name) != _default(entry)
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record that `to_json` made `content` of.

        Raises:
            ValueError: For a field that there is not, or a value of the wrong type.
        """
        hints = typing.get_type_hints(cls)
        unknown = sorted(set(content) - set(hints))
        if unknown:
            raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}; there are {', '.join(hints)}")
        return cls(**{name: _typed(value, hints[name], name) for name, value in content.items()})


@dataclass(frozen=True)
class Options(Record):
    """What every kind of task needs to know of how to compute.

    Attributes:
        model: A name ("acute-100k-x2"), a family ("fast"), or the path of a model file; None for the default.
        engine, device, precision: See `engines.open`.
        tile: The largest side of a tile in input pixels; 0 for no tiles; None as memory allows.
        tta: Average over the eight flips and rotations.
    """

    model: str | None = None
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    tile: int | None = None
    tta: bool = False


@dataclass(frozen=True)
class ImageOptions(Record):
    """What only images have. quality: 1 to 100, of the formats that have one; None for the format's default."""

    quality: int | None = None


@dataclass(frozen=True)
class VideoOptions(Record):
    """What only videos have.

    Attributes:
        codec: A name of `formats.video.codecs.CODECS`, or "auto".
        crf: Quality on the codec's own scale, less is better; None for its default.
        preset: The codec's speed; None for its default.
        encoder: Further settings of the encoder, as FFmpeg names them.
        start, duration: The part that is taken, in seconds, as a fraction such as "1001/30"; None for all.
        fps: Frames per second of a folder of frames, as a fraction; None for its default.
        deinterlace: Make whole frames of fields.
        strict: Stop at the first damaged frame instead of repeating the one before it.
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


@dataclass(frozen=True)
class Task(Record):
    """One result to be made.

    Attributes:
        source: The path of a file, or a pattern of frames such as "frames/%06d.png"; "-" for standard input.
        target: The path to write; "-" for standard output.
        size: How large the result is to be.
        options: How to compute it.
        image, video: What only these kinds have; None where nothing was asked, and for the other kind.
        force: Whether a result that exists is overwritten.
    """

    source: str
    target: str
    size: Size = field(default_factory=Size)
    options: Options = field(default_factory=Options)
    image: ImageOptions | None = None
    video: VideoOptions | None = None
    force: bool = False


@dataclass(frozen=True)
class Progress(Record):
    """How far one task is.

    Attributes:
        done: How much is computed, from 0 to 1.
        resumed: How much of that an earlier run had computed.
        frame, frames: The frame at work, from 0 on, and about how many there are.
        pixels: Pixels of the result computed since the report before.
    """

    done: float
    resumed: float = 0.0
    frame: int = 0
    frames: int = 1
    pixels: int = 0


@dataclass(frozen=True)
class Outcome(Record):
    """What became of one task.

    Attributes:
        source, target: As the task has them; `target` is the file that was written.
        kind: The kind that did it, "image" or "video"; "" where it came to none.
        error: Why it failed; "" where it did not.
        skipped: Whether the result had been there already, and was left.
        before, after: (height, width) of the source and of the result.
        models: The networks that ran one after another, or the resampler.
        frames: How many the result has; `resumed` of them by an earlier run, `damaged` repeated.
        unchanged: The share of the network's work that was spared because nothing had changed between frames.
        lost: What the result does not hold of what the source did, a sentence each.
        seconds: How long it took.
    """

    source: str
    target: str
    kind: str = ""
    error: str = ""
    skipped: bool = False
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    models: tuple[str, ...] = ()
    frames: int = 0
    resumed: int = 0
    damaged: int = 0
    unchanged: float = 0.0
    lost: tuple[str, ...] = ()
    seconds: float = 0.0


def _default(entry: dataclasses.Field[Any]) -> Any:
    return entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(v) for f in fields(value) if (v := getattr(value, f.name)) != _default(f)}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def _typed(value: Any, hint: Any, name: str) -> Any:
    """The value of a field of type `hint` that `_plain` made `value` of."""
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        inner = [each for each in typing.get_args(hint) if each is not types.NoneType]
        return None if value is None else _typed(value, inner[0], name)
    if isinstance(hint, type) and issubclass(hint, Record) and isinstance(value, Mapping):
        return hint.from_json(value)
    if hint is Size and isinstance(value, Mapping):
        return Size(**value)
    if origin is tuple and isinstance(value, list):
        return tuple(value)
    expected = (int, float) if hint is float else (Mapping if origin is not None and origin is not tuple else hint)
    if not isinstance(value, expected) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{name}: {value!r} is not of type {getattr(hint, '__name__', hint)}")
    return value
