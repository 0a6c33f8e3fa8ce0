"""The interface between the loop over frames and its outputs."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from hyperacuity.formats.protocol import LossWarning
from hyperacuity.formats.video.codecs import Encoding, format_losses
from hyperacuity.formats.video.frames import FrameFormat
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.video.enlarging import EnlargedFrame
from hyperacuity.video.unchanged import Savings


@dataclass(frozen=True)
class Totals:
    """Totals over the frames of a result, from its beginning.

    Attributes:
        frames: How many there are.
        damaged: How many of them replace frames that are damaged in the source.
        savings: How much of the network's work was saved.
    """

    frames: int = 0
    damaged: int = 0
    savings: Savings = field(default_factory=Savings)

    def add(self, frame: EnlargedFrame) -> Totals:
        """Returns the totals with one more frame."""
        return Totals(self.frames + 1, self.damaged + frame.frame.repeated, self.savings + frame.savings)


class VideoOutput(ABC):
    """A result being written: `begin`, then `write` for each frame, then `finish` or `discard`.

    Args:
        target: A path, or an open file.
        video: The source.
        size: The (height, width) of the result.
        aspect: Width of its pixels divided by their height; None if unspecified.
        encoding: The requested encoding.

    Attributes:
        frame_format: Of the frames that `write` takes.
    """

    frame_format: FrameFormat

    @abstractmethod
    def __init__(
        self,
        target: Path | IO[bytes],
        video: VideoSource,
        size: tuple[int, int],
        aspect: Fraction | None,
        encoding: Encoding,
    ) -> None: ...

    @classmethod
    @abstractmethod
    def accepts(cls, target: Path | IO[bytes]) -> bool:
        """Whether outputs of this class write `target`."""

    @classmethod
    @abstractmethod
    def check(cls, target: Path | IO[bytes], source: Path | IO[bytes], encoding: Encoding, *, force: bool) -> None:
        """Check whether `target` may be written, before the source is opened.

        Raises:
            UsageError: If it exists and `force` is false, if it is the source, or if `encoding` does not apply.
        """

    @abstractmethod
    def begin(self, identity: Callable[[], Mapping[str, Any]]) -> None:
        """Open the target.

        Args:
            identity: Returns everything that determines the result; an earlier run with the same identity is resumed.
        """

    @property
    def resumed(self) -> Totals:
        """The totals of an earlier run, whose frames are not written again."""
        return Totals()

    @property
    def complete(self) -> bool:
        """Whether an earlier run has finished all frames."""
        return False

    def starts_segment(self, number: int) -> bool:
        """Whether frame `number`, from 0 on, is computed independently of the one before, so a run can resume there."""
        return False

    @abstractmethod
    def write(self, frame: EnlargedFrame, totals: Totals) -> None:
        """Write one frame; `totals` include it. Runs in a thread other than the one that calls `begin`."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the result; all frames are written."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what cannot be resumed, after an error or a stop."""


def warn_of_format_losses(video: VideoSource, size: tuple[int, int], stored: FrameFormat) -> None:
    """Warn about losses if the frames of a result of this size are stored as `stored`."""
    for loss in format_losses(replace(video.frame_format.resized(*size), alpha=video.alpha), stored):
        warnings.warn(LossWarning(f"{video.name}: {loss}"), stacklevel=3)
