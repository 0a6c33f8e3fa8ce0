"""A file with the encoded video and everything else of the source, made of segments that survive an interruption."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import HyperacuityWarning
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import CODECS, Encoding, nearest_format
from hyperacuity.formats.video.containers import CONTAINERS, MATROSKA, check_container
from hyperacuity.formats.video.encoder import Encoder, EncoderTarget
from hyperacuity.formats.video.muxing import mux
from hyperacuity.formats.video.opening import check_result
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import last_duration
from hyperacuity.formats.video.verifying import verify
from hyperacuity.storage import may_write
from hyperacuity.video.enlarging import EnlargedFrame
from hyperacuity.video.outputs.protocol import Totals, VideoOutput, warn_of_format_losses
from hyperacuity.video.segments import SEGMENT_FRAMES, OpenSegment, SegmentFolder, SegmentSummary
from hyperacuity.video.unchanged import Savings

# By how much codecs usually reduce raw frames.
_LOSSLESS, _LOSSY = 3, 100


class EncodedOutput(VideoOutput):
    """A video file; finished segments stay after an error or a stop, if the source can be read again."""

    def __init__(
        self,
        target: Path | IO[bytes],
        video: VideoSource,
        size: tuple[int, int],
        aspect: Fraction | None,
        encoding: Encoding,
    ) -> None:
        assert isinstance(target, Path)
        self._path, self._video = target, video
        encoding = encoding.resolved(target.suffix.lower(), alpha=video.alpha)
        alpha = video.alpha and CONTAINERS[target.suffix.lower()] in MATROSKA
        self.frame_format = nearest_format(replace(video.frame_format.resized(*size), alpha=alpha), encoding)
        warn_of_format_losses(video, size, self.frame_format)
        self._target = EncoderTarget(encoding, self.frame_format, video.time_base, video.rate, aspect, video.hdr)
        if video.hdr is not None and CODECS[encoding.codec].parameters is None:
            message = f"{video.name}: {encoding.codec} cannot store HDR10's metadata; it is left out"
            warnings.warn(LossWarning(message), stacklevel=2)
        if video.unwritable:
            message = f"{video.name}: {' and '.join(video.unwritable)} left out"
            warnings.warn(LossWarning(message), stacklevel=2)
        Encoder(self._target)  # raises if the encoder does not start
        check_container(target, self._target)
        for loss in check_result(CONTAINERS[target.suffix.lower()], video, self._target, str(target)):
            warnings.warn(LossWarning(f"{target}: {loss}"), stacklevel=2)
        self._warn_of_space()
        self._segment: SegmentWriter | None = None

    def _warn_of_space(self) -> None:
        """Warn if the disk is clearly too full: finished segments and the result exist at the same time."""
        kind = self.frame_format
        raw = self._video.frames * sum(height * width for height, width in kind.shapes) * kind.dtype.itemsize
        needed = 2 * raw // (_LOSSLESS if CODECS[self._target.encoding.codec].crf is None else _LOSSY)
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self._path.resolve().parent).free
            if free < needed:
                message = (
                    f"{self._path}: the work may need about {needed / 2**30:.1f} GiB, and its disk has "
                    f"{free / 2**30:.1f} GiB left"
                )
                warnings.warn(HyperacuityWarning(message), stacklevel=3)

    @classmethod
    def accepts(cls, target: Path | IO[bytes]) -> bool:
        return isinstance(target, Path) and target.suffix.lower() in CONTAINERS

    @classmethod
    def check(cls, target: Path | IO[bytes], source: Path | IO[bytes], encoding: Encoding, *, force: bool) -> None:
        assert isinstance(target, Path)
        may_write(target, source, force=force)

    def begin(self, identity: Callable[[], Mapping[str, Any]]) -> None:
        import av

        target = self._target
        encoder = [target.encoding.codec, target.settings(), target.frame_format.pixel_format, str(target.aspect)]
        own = {"encoder": encoder, "pyav": av.__version__, "segment": SEGMENT_FRAMES}
        self._folder = SegmentFolder(self._path, {**identity(), **own})
        if self._folder.discarded:
            message = f"{self._path}: an earlier run was for another source or other settings; its work is discarded"
            warnings.warn(LossWarning(message), stacklevel=2)

    def adopt(self, segments: Iterable[Path]) -> None:
        """Take over segments that other machines have made, after `begin`; see `SegmentFolder.adopt`."""
        self._folder.adopt(segments)

    @property
    def resumed(self) -> Totals:
        segments = self._folder.segments
        savings = Savings(sum(each.total for each in segments), sum(each.saved for each in segments))
        return Totals(self._folder.frames, sum(each.damaged for each in segments), savings)

    @property
    def complete(self) -> bool:
        return self._folder.complete

    def starts_segment(self, number: int) -> bool:
        return number % SEGMENT_FRAMES == 0

    def write(self, frame: EnlargedFrame, totals: Totals) -> None:
        if self._segment is not None and self._segment.frames == SEGMENT_FRAMES:
            self._finish_segment(last=False)
        if self._segment is None:
            self._segment = self.open_segment(self._folder.begin())
        self._segment.write(frame)

    def open_segment(self, segment: OpenSegment) -> SegmentWriter:
        """Returns a writer with a new encoder for one segment."""
        return SegmentWriter(segment, self._target, self._video)

    def _finish_segment(self, *, last: bool) -> None:
        assert self._segment is not None
        self._folder.add(self._segment.finish(last=last))
        self._segment = None

    def finish(self) -> None:
        if not self.complete:
            self._finish_segment(last=True)
        self._mux()
        self._folder.remove()

    def _mux(self) -> None:
        """Make the file of the segments and of everything else, verify it, and give it its name."""
        folder, name = self._folder, str(self._path)
        kind = CONTAINERS[self._path.suffix.lower()]
        try:
            muxed = mux(
                folder.result,
                kind,
                self._video,
                self._target,
                folder.packets(),
                folder.times(),
                duration=folder.segments[-1].duration,
                name=name,
            )
            verify(folder.result, name, muxed, self._video)
            with folder.result.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(folder.result, os.path.realpath(self._path))
        finally:
            folder.result.unlink(missing_ok=True)  # after an error, free its space on a full disk

    def discard(self) -> None:
        if self._segment is not None:
            self._segment.discard()
        if not self._folder.segments or not isinstance(self._video.source, Path):
            self._folder.remove()  # nothing to resume
        self._folder.close()


class SegmentWriter:
    """Encodes the frames of one segment, by an encoder of its own.

    Args:
        segment: The file.
        target: What to encode.
        video: The source.

    Attributes:
        frames: How many are written.
    """

    def __init__(self, segment: OpenSegment, target: EncoderTarget, video: VideoSource) -> None:
        self._segment, self._encoder, self._video = segment, Encoder(target), video
        self._totals = Totals()
        self._duration = 0

    @property
    def frames(self) -> int:
        return self._totals.frames

    def write(self, frame: EnlargedFrame) -> None:
        """Encode one frame."""
        self._segment.write(self._encoder.encode(frame.planes, frame.frame.pts))
        self._totals = self._totals.add(frame)
        self._duration = frame.frame.duration

    def finish(self, *, last: bool) -> SegmentSummary:
        """Write what the encoder holds back, and make the segment durable.

        Args:
            last: Whether it is the last segment of the video.
        """
        self._segment.write(self._encoder.finish())
        duration = last_duration(self._duration, self._video.rate, self._video.time_base)
        savings = self._totals.savings
        summary = SegmentSummary(self.frames, duration, self._totals.damaged, savings.total, savings.saved, last)
        self._segment.finish(summary)
        return summary

    def discard(self) -> None:
        """Remove an unfinished segment."""
        self._segment.discard()
