"""Videos, made larger without losing anything of them.

    from hyperacuity import video, load

    video.upscale(load(), Path("video.mp4"), Path("video-x2.mp4"), Size(2))

enlarging, chroma, still    a frame at another size; what did not change is not computed again
threads                     reading, network and writing at the same time
work                        segments on disk, from which a killed run goes on
pictures, preview           frames as pictures; one of them before and after
"""

from __future__ import annotations

import hashlib
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from hyperacuity.api import Upscaler
from hyperacuity.errors import UsageError
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video import raw, writing
from hyperacuity.formats.video.codecs import CODECS, Encoder, Encoding, Target, fitting, losses
from hyperacuity.formats.video.frames import Frame, Layout
from hyperacuity.formats.video.reading import WHOLE, Part, VideoSource, is_pattern, numbered
from hyperacuity.size import Size
from hyperacuity.storage import may_write, storing
from hyperacuity.video import preview as previewing
from hyperacuity.video.enlarging import Enlarged, Enlarger
from hyperacuity.video.still import Savings
from hyperacuity.video.threads import ahead, behind
from hyperacuity.video.work import LENGTH, Open, Segment, Work

__all__ = ["WHOLE", "Encoding", "Part", "Progress", "Report", "Settings", "preview", "upscale"]

# Seconds by which a frame may last longer than another where all are to last alike: containers round times.
_EVEN = Fraction(2, 1000)


@dataclass(frozen=True)
class Settings:
    """How a video is read and written. rate: frames per second of a frame folder. strict: stop at the first damaged
    frame instead of putting the one before in its place.
    """

    encoding: Encoding = field(default_factory=Encoding)
    part: Part = WHOLE
    rate: Fraction | None = None
    deinterlace: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Progress:
    """Where the work stands: `frames` is about how many there will be; of those `done`, `resumed` had been finished by
    an earlier run.
    """

    done: int
    frames: int
    resumed: int
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True)
class Report:
    """What became of a video: sizes are (height, width). resumed: frames that an earlier run had finished. damaged:
    frames for which the one before stands in. reused: the share of the network's work that was spared because nothing
    had changed.
    """

    path: Path
    before: tuple[int, int]
    after: tuple[int, int]
    models: tuple[str, ...]
    frames: int
    resumed: int
    damaged: int
    reused: float


def upscale(
    upscaler: Upscaler,
    source: Path | IO[bytes],
    output: Path | IO[bytes],
    size: Size,
    settings: Settings = Settings(),
    *,
    force: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Make a video larger: the file `output` holds it with all sound, subtitles, chapters and time stamps of `source`.

    source: a file, a frame folder ("frames/%06d.png") or a stream of Y4M. output: a file; or a frame folder or a stream
    of Y4M, which hold frames alone and cannot be gone on with. watch: is told of each frame; what it raises ends the
    work, as anything else may: the same call goes on from the last finished segment.

    Raises `UsageError` and its kind for what cannot be asked, `DamagedFile`, `BadOutput`, `MissingDependency`.
    """
    if not isinstance(output, Path) or is_pattern(output) or output.suffix.lower() == ".y4m":
        return _unencoded(upscaler, source, output, size, settings, force, watch)
    if output.suffix.lower() not in writing.FORMATS:
        kinds = ", ".join(writing.FORMATS)
        raise UsageError(f"{output} names no video: give it one of {kinds}, or name frames such as frames/%06d.png")
    may_write(output, source, force=force)
    video = _open(source, settings)
    target = _size(video, size)
    encoding = settings.encoding.resolved(output.suffix.lower())
    stored = _stored(video, fitting(video.layout.resized(*target), encoding), target)
    encoder = Target(encoding, stored, video.time_base, video.rate, _aspect(video, size, target), video.screen)
    if video.screen is not None and CODECS[encoding.codec].parameters is None:
        warnings.warn(
            f"{video.name}: {encoding.codec} cannot say what HDR10 says of screen and light; it is left out",
            LossWarning,
            stacklevel=2,
        )
    if video.unsaid:
        warnings.warn(f"{video.name}: {' and '.join(video.unsaid)} left out", LossWarning, stacklevel=2)
    Encoder(encoder)  # shows whether it starts at all
    writing.check_container(output, encoder)
    enlarger = Enlarger(upscaler, video.layout, target, stored)
    with storing(output):
        work = Work(output, _identity(upscaler, video, encoder, target, settings))
        if work.begun_anew:
            warnings.warn(
                f"{output}: the work of an earlier run was for another source or other settings; it is begun anew",
                LossWarning,
                stacklevel=2,
            )
        resumed = work.frames
        try:
            tell = _teller(watch, video, target, resumed)
            tell(resumed)
            _Run(video, enlarger, encoder, work, tell).all()
            _put_together(video, encoder, work, output)
        except BaseException:
            if not work.segments or not isinstance(source, Path):
                work.remove()  # nothing to go on from
            work.close()
            raise
        work.remove()
    last = work.segments[-1]
    _tell_damage(video, last.damaged)
    savings = Savings(last.total, last.saved)
    before = video.layout.height, video.layout.width
    return Report(
        output, before, target, upscaler.names(before, target), work.frames, resumed, last.damaged, savings.share
    )


def preview(
    upscaler: Upscaler,
    source: Path,
    output: Path,
    size: Size,
    settings: Settings = Settings(),
    *,
    force: bool = False,
) -> Report:
    """Write one frame of a video as the picture `output`: left enlarged by bicubic, right by the model.

    It is the first of `settings.part`, or one in the middle where that begins at 0. Raises as `upscale` does.
    """
    may_write(output, source, force=force)
    video = _open(source, settings)
    if not settings.part.start:
        video = _open(source, replace(settings, part=previewing.middle(video)))
    before, target = (video.layout.height, video.layout.width), _size(video, size)
    with storing(output):
        previewing.write(upscaler, video, target, output)
    return Report(output, before, target, upscaler.names(before, target), 1, 0, 0, 0.0)


def _unencoded(
    upscaler: Upscaler,
    source: Path | IO[bytes],
    output: Path | IO[bytes],
    size: Size,
    settings: Settings,
    force: bool,
    watch: Callable[[Progress], None],
) -> Report:
    """The frames alone, into a folder or as Y4M."""
    folder = isinstance(output, Path) and is_pattern(output)
    if isinstance(output, Path):
        _may_write(output, source, force=force)
    if settings.encoding != Encoding():
        raise UsageError("--codec, --crf, --preset and -e are for encoded videos: leave them out, or name one with -o")
    video = _open(source, settings)
    if video.beside:
        warnings.warn(
            f"{video.name}: only its frames are written, without {' and '.join(video.beside)}",
            LossWarning,
            stacklevel=3,
        )
    target = _size(video, size)
    wanted = video.layout.resized(*target)
    stored = _stored(video, raw.folder_layout(wanted) if folder else raw.y4m_layout(wanted), target)
    enlarger = Enlarger(upscaler, video.layout, target, stored)
    tell = _teller(watch, video, target)
    sink: raw.Raw
    done = damaged = 0
    times: list[int] = []
    savings = Savings()
    with storing(output if isinstance(output, Path) else Path("-")):
        if isinstance(output, Path) and folder:
            sink = raw.Folder(output, stored)
        else:
            sink = raw.Y4M(output, stored, video.rate, _aspect(video, size, target))

        def write(enlarged: Enlarged) -> None:
            sink.write(enlarged.planes)

        try:
            with ahead(video) as frames, behind(write) as store, closing(enlarger.all(frames)) as results:
                for done, enlarged in enumerate(results, 1):
                    store(enlarged)
                    damaged += enlarged.frame.stands_in
                    times.append(enlarged.frame.pts)
                    savings += enlarged.savings
                    tell(done)
            sink.close()
        except BaseException:
            sink.discard()
            raise
    _tell_damage(video, damaged)
    _tell_unevenness(video, times)
    before = video.layout.height, video.layout.width
    path, names = output if isinstance(output, Path) else Path("-"), upscaler.names(before, target)
    return Report(path, before, target, names, done, 0, damaged, savings.share)


def _may_write(output: Path, source: Path | IO[bytes], *, force: bool) -> None:
    """As `storage.may_write`; of a frame folder every picture that is there."""
    if not is_pattern(output):
        may_write(output, source, force=force)
        return
    existing = numbered(output).values()
    frames = numbered(source).values() if isinstance(source, Path) and is_pattern(source) else ()
    read = {(status.st_dev, status.st_ino) for status in map(Path.stat, frames)}
    for path in existing:
        if (path.stat().st_dev, path.stat().st_ino) in read:
            raise UsageError(f"{path} is a frame of the input: choose another folder or name")
        may_write(path, source, force=force)


def _open(source: Path | IO[bytes], settings: Settings) -> VideoSource:
    return VideoSource(
        source, part=settings.part, rate=settings.rate, deinterlace=settings.deinterlace, strict=settings.strict
    )


def _size(video: VideoSource, size: Size) -> tuple[int, int]:
    """The (height, width) of the result as it is stored; what was asked for is what is seen."""
    height, width = video.layout.height, video.layout.width
    return size.resolve(width, height)[::-1] if video.turned else size.resolve(height, width)


def _aspect(video: VideoSource, size: Size, target: tuple[int, int]) -> Fraction | None:
    """The shape of the result's pixels. Where both sides were asked for, the picture keeps its shape and they give."""
    if size.width is None or size.height is None:
        return video.aspect
    before = (video.aspect or 1) * Fraction(video.layout.width, video.layout.height)
    return before / Fraction(target[1], target[0])


def _stored(video: VideoSource, stored: Layout, target: tuple[int, int]) -> Layout:
    """The layout itself, after a warning of what it loses."""
    for loss in losses(video.layout.resized(*target), stored):
        warnings.warn(f"{video.name}: {loss}", LossWarning, stacklevel=3)
    return stored


def _teller(
    watch: Callable[[Progress], None], video: VideoSource, target: tuple[int, int], resumed: int = 0
) -> Callable[[int], None]:
    before = video.layout.height, video.layout.width
    return lambda done: watch(Progress(done, max(video.frames, done), resumed, before, target))


def _tell_unevenness(video: VideoSource, times: Sequence[int]) -> None:
    """Say where frames that had times of their own are given without them."""
    steps = [(later - earlier) * video.time_base for earlier, later in itertools.pairwise(times)]
    if steps and max(steps) - min(steps) > max(_EVEN, video.time_base):
        warnings.warn(
            f"{video.name}: its frames last between {float(min(steps)):.3f} and {float(max(steps)):.3f} s; images and "
            "Y4M keep no times: an encoded video does",
            LossWarning,
            stacklevel=3,
        )


def _tell_damage(video: VideoSource, damaged: int) -> None:
    if damaged:
        warnings.warn(
            f"{video.name}: {damaged} damaged frame{'s' if damaged > 1 else ''}; the one before stands in",
            LossWarning,
            stacklevel=3,
        )


def _identity(
    upscaler: Upscaler, video: VideoSource, encoder: Target, target: tuple[int, int], settings: Settings
) -> dict[str, Any]:
    """All that decides what the result is: where it differs, what an earlier run left is of no use."""
    import av

    steps = upscaler.chain((video.layout.height, video.layout.width), target)
    files = [step.model.safetensors for step in steps]
    return {
        "source": video.identity(),
        "part": [str(settings.part.start), str(settings.part.duration)],
        "deinterlace": settings.deinterlace,
        "rate": str(video.rate),
        "size": target,
        "models": upscaler.names((video.layout.height, video.layout.width), target),
        "weights": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file is not None],
        "tta": upscaler.options.tta,
        "encoder": [encoder.encoding.codec, encoder.settings(), encoder.look.format, str(encoder.aspect)],
        "pyav": av.__version__,
        "segment": LENGTH,
    }


def _put_together(video: VideoSource, encoder: Target, work: Work, output: Path) -> None:
    """Make the file of the segments and of all else, hold it against them, and give it its name."""
    kind = writing.FORMATS[output.suffix.lower()]
    try:
        written = writing.mux(
            work.result,
            kind,
            video,
            encoder,
            work.packets(),
            work.times(),
            duration=work.segments[-1].duration,
            name=str(output),
        )
        writing.verify(work.result, str(output), written)
        with work.result.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(work.result, os.path.realpath(output))
    finally:
        work.result.unlink(missing_ok=True)  # what failed shall not keep a full disk full


class _Run:
    """The frames of a video on their way through reading, network and encoder, all three at work at once."""

    def __init__(
        self, video: VideoSource, enlarger: Enlarger, encoder: Target, work: Work, tell: Callable[[int], None]
    ) -> None:
        self.video, self.enlarger, self.target, self.work, self.tell = video, enlarger, encoder, work, tell
        self._segment: Open | None = None
        self._encoder: Encoder | None = None
        self._frames = 0
        self._last: Enlarged | None = None
        self._damaged, self._savings = 0, Savings()

    def all(self) -> None:
        """Finish every segment that is not."""
        if self.work.done:
            return
        if self.work.segments:
            before = self.work.segments[-1]
            self._damaged, self._savings = before.damaged, Savings(before.total, before.saved)
        first = self.work.frames
        try:
            with ahead(self.video) as frames, behind(self._store) as store:
                with closing(self.enlarger.all(self._from(first, frames))) as results:
                    for number, enlarged in enumerate(results, first + 1):
                        store(enlarged)
                        self.tell(number)
                store(None)
        finally:
            if self._segment is not None:
                self._segment.close()

    def _from(self, first: int, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Those that no earlier run has finished."""
        for number, frame in enumerate(frames):
            if number < first:
                continue  # decoded all the same: only so is it certain that the rest comes out as it would have
            if number % LENGTH == 0:
                self.enlarger.forget()  # so that it is all one where a run was cut off
            yield frame

    def _store(self, enlarged: Enlarged | None) -> None:
        """In the thread behind: encode the frame; None after the last."""
        if enlarged is None or self._frames == LENGTH:
            self._finish(last=enlarged is None)
        if enlarged is None:
            return
        if self._segment is None or self._encoder is None:
            self._segment, self._encoder, self._frames = self.work.begin(), Encoder(self.target), 0
        self._segment.write(self._encoder.encode(enlarged.planes, enlarged.frame.pts))
        self._frames += 1
        self._savings += enlarged.savings
        self._damaged += enlarged.frame.stands_in
        self._last = enlarged

    def _finish(self, *, last: bool) -> None:
        """Close the segment that is open."""
        assert self._segment is not None
        assert self._encoder is not None
        assert self._last is not None
        self._segment.write(self._encoder.finish())
        savings = self._savings
        # A video whose last frame says not how long it stays gives it what one frame has on the average.
        duration = self._last.frame.duration or max(1, round(1 / self.video.rate / self.video.time_base))
        self._segment.finish(Segment(self._frames, duration, self._damaged, savings.total, savings.saved, last))
        self._segment = self._encoder = None
