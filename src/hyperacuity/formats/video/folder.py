"""A folder of frames, each stored as an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hyperacuity import formats
from hyperacuity.formats.video.frames import FULL, Array, FrameFormat
from hyperacuity.image import Image


class FolderWriter:
    """Write one image for each frame, counted from 1; existing ones are overwritten.

    Args:
        pattern: Such as "frames/%06d.png"; the folder is created if missing.
        frame_format: Of the frames; see `folder_format`.
    """

    def __init__(self, pattern: Path, frame_format: FrameFormat) -> None:
        self._pattern, self._format, self._count = pattern, frame_format, 0
        pattern.parent.mkdir(parents=True, exist_ok=True)

    def write(self, planes: tuple[Array, ...]) -> None:
        """Write the next frame."""
        self._count += 1
        path = self._pattern.with_name(self._pattern.name % self._count)
        with formats.write(path, None) as sink:
            sink.write(Image.from_pixels(np.stack(planes, -1), levels=self._format.levels).strips())


def folder_format(wanted: FrameFormat) -> FrameFormat:
    """Returns R, G, B or grey in 8 or 16 bits of full range, as images store them."""
    colour = replace(wanted.colour, matrix=0 if wanted.chroma is not None else wanted.colour.matrix, range=FULL)
    return replace(wanted, depth=8 if wanted.depth == 8 else 16, chroma=wanted.chroma and (1, 1), colour=colour)
