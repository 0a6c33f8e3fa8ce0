"""A folder of frames, one image each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.codecs import Encoding
from hyperacuity.formats.video.folder import FolderWriter, folder_format
from hyperacuity.formats.video.patterns import existing_frames, is_pattern
from hyperacuity.storage import may_write
from hyperacuity.video.enlarging import EnlargedFrame
from hyperacuity.video.outputs.frames_only import FramesOnlyOutput


class FolderOutput(FramesOnlyOutput):
    """Images named by a pattern such as "frames/%06d.png"; images already written stay after an error."""

    storable = staticmethod(folder_format)

    @classmethod
    def accepts(cls, target: Path | IO[bytes]) -> bool:
        return isinstance(target, Path) and is_pattern(target)

    @classmethod
    def check(cls, target: Path | IO[bytes], source: Path | IO[bytes], encoding: Encoding, *, force: bool) -> None:
        assert isinstance(target, Path)
        inputs = existing_frames(source).values() if isinstance(source, Path) and is_pattern(source) else ()
        read = {(status.st_dev, status.st_ino) for status in map(Path.stat, inputs)}
        for path in existing_frames(target).values():
            if (path.stat().st_dev, path.stat().st_ino) in read:
                raise UsageError(f"{path} is a frame of the input: choose another folder or name")
            may_write(path, source, force=force)
        cls.check_encoding(encoding)

    def begin(self, identity: Callable[[], Mapping[str, Any]]) -> None:
        assert isinstance(self._target, Path)
        self._writer = FolderWriter(self._target, self.frame_format)

    def write_planes(self, frame: EnlargedFrame) -> None:
        self._writer.write(frame.planes)

    def finish_file(self) -> None:
        pass

    def discard(self) -> None:
        pass
