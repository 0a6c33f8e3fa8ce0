"""The base class of outputs that hold only frames."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from fractions import Fraction
from pathlib import Path
from typing import IO

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.frames import FrameFormat
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import uneven_durations
from hyperacuity.video.enlarging import EnlargedFrame
from hyperacuity.video.outputs.protocol import Totals, VideoOutput, warn_of_format_losses


class FramesOnlyOutput(VideoOutput):
    """Frames without a codec, sound and time stamps; cannot be resumed. Warns of what is lost."""

    # What this kind of output has besides the frames themselves.
    keeps_rotation = False
    keeps_times = False

    def __init__(
        self,
        target: Path | IO[bytes],
        video: VideoSource,
        size: tuple[int, int],
        aspect: Fraction | None,
        encoding: Encoding,
    ) -> None:
        self._target, self._video, self._aspect = target, video, aspect
        self._times: list[int] = []
        if video.other_streams:
            message = f"{video.name}: only its frames are written, without {' and '.join(video.other_streams)}"
            warnings.warn(LossWarning(message), stacklevel=3)
        if video.display_matrix is not None and not self.keeps_rotation:
            message = f"{video.name}: its frames are written as they are stored, without its rotation"
            warnings.warn(LossWarning(message), stacklevel=3)
        if video.projection is not None and (lost := video.projection.parts()):
            message = f"{video.name}: its frames are written as they are stored, without its {' and '.join(lost)}"
            warnings.warn(LossWarning(message), stacklevel=3)
        self.frame_format = self.storable(video.frame_format.resized(*size))
        warn_of_format_losses(video, size, self.frame_format)

    @staticmethod
    @abstractmethod
    def storable(wanted: FrameFormat) -> FrameFormat:
        """Returns the format nearest to `wanted` that the output can hold."""

    @classmethod
    def check_encoding(cls, encoding: Encoding) -> None:
        """Check that no encoder is requested.

        Raises:
            UsageError: If one is.
        """
        given = {
            "codec": encoding.codec != "auto",
            "crf": encoding.crf is not None,
            "preset": encoding.preset is not None,
            "encoder": bool(encoding.options),
        }
        names = {name: LEAVE_OUT for name, is_given in given.items() if is_given}
        if names:
            raise UsageError("images and Y4M have no codec or encoder settings", Use(**names))

    def write(self, frame: EnlargedFrame, totals: Totals) -> None:
        self._times.append(frame.frame.pts)
        self.write_planes(frame)

    @abstractmethod
    def write_planes(self, frame: EnlargedFrame) -> None:
        """Write one frame."""

    def finish(self) -> None:
        self.finish_file()
        durations = None if self.keeps_times else uneven_durations(self._times, self._video.time_base)
        if durations is not None:
            shortest, longest = (float(duration) for duration in durations)
            message = (
                f"{self._video.name}: its frames last between {shortest:.3f} and {longest:.3f} s; images and Y4M keep "
                "no time stamps, an encoded video does"
            )
            warnings.warn(LossWarning(message), stacklevel=3)

    @abstractmethod
    def finish_file(self) -> None:
        """Complete the result."""
