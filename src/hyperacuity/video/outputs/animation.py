"""An animated image: GIF, WebP or PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from hyperacuity import formats
from hyperacuity.errors import OTHER, UsageError, Use
from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.folder import folder_format
from hyperacuity.formats.video.frames import Array, FrameFormat
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import last_duration
from hyperacuity.image import Image
from hyperacuity.storage import may_write
from hyperacuity.video.enlarging import EnlargedFrame
from hyperacuity.video.outputs.frames_only import FramesOnlyOutput
from hyperacuity.video.rotation import quarter_turns

_SUFFIXES = (".gif", ".webp", ".apng")
# Encoders of animations hold all frames: this many bytes of them at most.
_MOST = 2 << 30


def _stored(wanted: FrameFormat) -> FrameFormat:
    """R, G, B or grey in 8 bits."""
    return replace(folder_format(wanted), depth=8)


class AnimationOutput(FramesOnlyOutput):
    """All frames in one image, each with its own duration; the file appears only when it is complete."""

    storable = staticmethod(_stored)
    keeps_rotation = True
    keeps_times = True

    def __init__(
        self,
        target: Path | IO[bytes],
        video: VideoSource,
        size: tuple[int, int],
        aspect: Fraction | None,
        encoding: Encoding,
    ) -> None:
        super().__init__(target, video, size, aspect, encoding)
        needed = video.frames * size[0] * size[1] * (1 if self.frame_format.chroma is None else 3)
        if needed > _MOST:
            raise UsageError(
                f"{target}: {video.frames} frames of {size[1]}x{size[0]} are {needed / 2**30:.1f} GiB, more than an "
                f"animated image takes ({_MOST >> 30} GiB); an encoded video has no limit",
                Use(duration=OTHER),
                Use(output=OTHER),
            )
        self._held: EnlargedFrame | None = None
        self._files = ExitStack()

    @classmethod
    def accepts(cls, target: Path | IO[bytes]) -> bool:
        return isinstance(target, Path) and target.suffix.lower() in _SUFFIXES

    @classmethod
    def check(cls, target: Path | IO[bytes], source: Path | IO[bytes], encoding: Encoding, *, force: bool) -> None:
        assert isinstance(target, Path)
        may_write(target, source, force=force)
        cls.check_encoding(encoding)

    def begin(self, identity: Callable[[], Mapping[str, Any]]) -> None:
        assert isinstance(self._target, Path)
        self._sink = self._files.enter_context(formats.write(self._target, None))

    def write_planes(self, frame: EnlargedFrame) -> None:
        if self._held is not None:
            self._write(self._held.planes, frame.frame.pts - self._held.frame.pts)
        self._held = frame

    def _write(self, planes: tuple[Array, ...], ticks: int) -> None:
        pixels = np.rot90(np.stack(planes, -1), quarter_turns(self._video.display_matrix))
        self._sink.write(Image.from_pixels(pixels, duration=float(ticks * self._video.time_base)).strips())

    def finish_file(self) -> None:
        if self._held is not None:
            last = self._held.frame
            self._write(self._held.planes, last_duration(last.duration, self._video.rate, self._video.time_base))
        self._files.close()

    def discard(self) -> None:
        self._files.pop_all().__exit__(UsageError, UsageError("stopped"), None)
