"""A file or a pipe of Y4M."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.y4m import Y4MWriter, y4m_format
from hyperacuity.storage import may_write
from hyperacuity.video.enlarging import EnlargedFrame
from hyperacuity.video.outputs.frames_only import FramesOnlyOutput


class Y4MOutput(FramesOnlyOutput):
    """Frames without compression; the file appears only when it is complete."""

    storable = staticmethod(y4m_format)

    @classmethod
    def accepts(cls, target: Path | IO[bytes]) -> bool:
        return not isinstance(target, Path) or target.suffix.lower() == ".y4m"

    @classmethod
    def check(cls, target: Path | IO[bytes], source: Path | IO[bytes], encoding: Encoding, *, force: bool) -> None:
        if isinstance(target, Path):
            may_write(target, source, force=force)
        cls.check_encoding(encoding)

    def begin(self, identity: Callable[[], Mapping[str, Any]]) -> None:
        self._writer = Y4MWriter(self._target, self.frame_format, self._video.rate, self._aspect)

    def write_planes(self, frame: EnlargedFrame) -> None:
        self._writer.write(frame.planes)

    def finish_file(self) -> None:
        self._writer.finish()

    def discard(self) -> None:
        self._writer.discard()
