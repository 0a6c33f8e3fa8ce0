"""A file with the encoded video and everything else of the source, made of segments that survive an interruption."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
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
        self._encoder: Encoder | None = None
        self._segment: OpenSegment | None = None
        self._segment_frames = 0
        self._last: tuple[EnlargedFrame, Totals] | None = None

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

    @property
    def resumed(self) -> Totals:
        if not self._folder.segments:
            return Totals()
        last = self._folder.segments[-1]
        return Totals(self._folder.frames, last.damaged, Savings(last.total, last.saved))

    @property
    def complete(self) -> bool:
        return self._folder.complete

    def starts_segment(self, number: int) -> bool:
        return number % SEGMENT_FRAMES == 0

    def write(self, frame: EnlargedFrame, totals: Totals) -> None:
        if self._segment_frames == SEGMENT_FRAMES:
            self._finish_segment(last=False)
        if self._segment is None or self._encoder is None:
            self._segment, self._encoder = self._folder.begin(), Encoder(self._target)
        self._segment.write(self._encoder.encode(frame.planes, frame.frame.pts))
        self._segment_frames += 1
        self._last = frame, totals

    def _finish_segment(self, *, last: bool) -> None:
        assert self._segment is not None
        assert self._encoder is not None
        assert self._last is not None
        self._segment.write(self._encoder.finish())
        frame, totals = self._last
        duration = last_duration(frame.frame.duration, self._video.rate, self._video.time_base)
        savings = totals.savings
        self._segment.finish(
            SegmentSummary(self._segment_frames, duration, totals.damaged, savings.total, savings.saved, last)
        )
        self._segment = self._encoder = None
        self._segment_frames = 0

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
