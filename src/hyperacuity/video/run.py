"""Upscales one video: the loop over its frames, for every kind of output."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from hyperacuity.counting import counted
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.frames import PlanarFrame
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.size import Size
from hyperacuity.storage import storing
from hyperacuity.task import Outcome, Progress, Stop, VideoOptions
from hyperacuity.upscaler import Upscaler
from hyperacuity.video.concurrency import read_ahead, write_behind
from hyperacuity.video.enlarging import EnlargedFrame, Enlarger
from hyperacuity.video.options import open_source, parse_encoding, pixel_aspect, stored_size
from hyperacuity.video.outputs import Totals, VideoOutput, output_type
from hyperacuity.video.outputs.encoded import EncodedOutput

_PIPE = Path("-")


def upscale(
    upscaler: Upscaler,
    source: Path | IO[bytes],
    target: Path | IO[bytes],
    size: Size,
    options: VideoOptions | None = None,
    *,
    force: bool = False,
    observe: Callable[[Progress], None] = lambda progress: None,
    stop: Stop | None = None,
    segments: Iterable[Path] = (),
) -> Outcome:
    """Upscale a video and keep its sound, subtitles, chapters and time stamps.

    If the work on an encoded video is interrupted, the same call resumes it after the last finished segment.

    Args:
        upscaler: The model.
        source: A file, a folder of frames ("frames/%06d.png") or a stream of Y4M.
        target: A video file; or a folder of frames, or a file or stream of Y4M, which hold frames alone and cannot be
            resumed.
        size: Of the result as displayed.
        options: How the video is read and encoded; all defaults if None.
        force: Overwrite a target that exists.
        observe: Called at the start and after each frame; `Progress.frame` counts finished frames.
        stop: Checked at each frame.
        segments: Files of `parts.upscale_segment`, in order from the first; what is missing is computed.

    Returns:
        The outcome, with "-" for streams.

    Raises:
        Stopped: If `stop` is set; finished segments stay.
        UsageError: If the video cannot be made with these options.
        DamagedFile: If the source cannot be decoded, or is damaged and `options.strict` is set.
        BadOutput: If the result, read back, does not match what was muxed.

    Example:
        >>> upscale(load(), Path("video.mp4"), Path("video-x2.mp4"), Size(2))  # doctest: +SKIP
    """
    begun = time.perf_counter()
    options, stop = options or VideoOptions(), stop or Stop()
    kind = output_type(target)
    encoding = parse_encoding(options)
    kind.check(target, source, encoding, force=force)
    video = open_source(source, options)
    before, after = (video.frame_format.height, video.frame_format.width), stored_size(video, size)
    output = kind(target, video, after, pixel_aspect(video, size, after), encoding)
    enlarger = Enlarger(upscaler, video.frame_format, after, output.frame_format)
    origin, path = (each if isinstance(each, Path) else _PIPE for each in (source, target))
    with storing(path):
        output.begin(lambda: _resume_identity(upscaler, video, after, options))
        try:
            if isinstance(output, EncodedOutput):
                output.adopt(segments)
            resumed = output.resumed
            totals = _compute(video, enlarger, output, observe, stop)
            output.finish()
        except BaseException:
            output.discard()
            raise
    _warn_of_damage(video, totals.damaged)
    outcome = Outcome(str(origin), str(path), "video", before=before, after=after, models=upscaler.names(before, after))
    return _with_totals(outcome, totals, resumed, time.perf_counter() - begun)


def _with_totals(outcome: Outcome, totals: Totals, resumed: Totals, seconds: float) -> Outcome:
    return replace(
        outcome,
        frames=totals.frames,
        resumed=resumed.frames,
        damaged=totals.damaged,
        unchanged=totals.savings.share,
        seconds=seconds,
    )


def _compute(
    video: VideoSource, enlarger: Enlarger, output: VideoOutput, observe: Callable[[Progress], None], stop: Stop
) -> Totals:
    """Process all frames that no earlier run has finished; reading, network and output work concurrently."""
    totals = resumed = output.resumed
    report = _reporter(video, resumed.frames, enlarger.size, observe)
    report(resumed.frames)
    if output.complete:
        return totals

    def remaining(frames: Iterable[PlanarFrame]) -> Iterator[PlanarFrame]:
        for number, frame in enumerate(frames):
            stop.check()
            if number < resumed.frames:
                continue  # decoded anyway, so the others are decoded identically
            if output.starts_segment(number):
                enlarger.forget()  # so that the result does not depend on where an earlier run was interrupted
            yield frame

    def store(item: tuple[EnlargedFrame, Totals]) -> None:
        output.write(*item)

    with (
        read_ahead(video) as frames,
        write_behind(store) as write,
        closing(enlarger.stream(remaining(frames))) as results,
    ):
        for frame in results:
            totals = totals.add(frame)
            write((frame, totals))
            report(totals.frames)
            stop.check()
    return totals


def _reporter(
    video: VideoSource, resumed: int, size: tuple[int, int], observe: Callable[[Progress], None]
) -> Callable[[int], None]:
    """A function that reports how many frames are finished."""
    expected = video.frames

    def report(done: int) -> None:
        frames = max(1, expected, done)
        pixels = size[0] * size[1] if done > resumed else 0
        observe(Progress(done / frames, resumed / frames, done, frames, pixels))

    return report


def _warn_of_damage(video: VideoSource, damaged: int) -> None:
    if damaged:
        frames = counted(damaged, "damaged frame")
        message = f"{video.name}: {frames}; the frame before is repeated"
        warnings.warn(LossWarning(message), stacklevel=3)


def _resume_identity(
    upscaler: Upscaler, video: VideoSource, after: tuple[int, int], options: VideoOptions
) -> dict[str, Any]:
    """Everything that determines the frames: if any of it differs, an earlier run cannot be resumed."""
    before = video.frame_format.height, video.frame_format.width
    steps = upscaler.chain(before, after)
    files = [step.model.safetensors or step.model.onnx for step in steps]
    engines = [stage.engine for stage in upscaler.pipeline(before, after).stages]
    return {
        "source": video.identity(),
        "part": [str(video.part.start), str(video.part.duration)],
        "deinterlace": options.deinterlace,
        "rate": str(video.rate),
        "size": after,
        "models": upscaler.names(before, after),
        "weights": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file is not None],
        "engines": [[type(engine).__name__, engine.precision] for engine in engines],
        "tta": upscaler.options.tta,
        "device": upscaler.options.device,
    }
