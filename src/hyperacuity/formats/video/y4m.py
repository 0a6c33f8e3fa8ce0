"""Y4M: frames without compression, for pipes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from hyperacuity.formats.video.frames import FULL, Array, FrameFormat
from hyperacuity.storage import Partial


class Y4MWriter:
    """Write Y4M, in which video tools exchange frames through pipes; it has one frame rate and no time stamps.

    Args:
        file: A path, where the file appears only when it is complete; or an open file.
        frame_format: Of the frames; see `y4m_format`.
        rate: Frames per second.
        aspect: Width of a pixel divided by its height; None if unspecified.
    """

    def __init__(
        self, file: Path | IO[bytes], frame_format: FrameFormat, rate: Fraction, aspect: Fraction | None
    ) -> None:
        self._partial = Partial(file) if isinstance(file, Path) else None
        self._file: Partial | IO[bytes] = self._partial or file  # type: ignore[assignment]
        head = [
            f"YUV4MPEG2 W{frame_format.width} H{frame_format.height} F{rate.numerator}:{rate.denominator} Ip",
            "A0:0" if aspect is None else f"A{aspect.numerator}:{aspect.denominator}",
            f"C{_chroma_name(frame_format)}",
            f"XCOLORRANGE={'FULL' if frame_format.colour.range == FULL else 'LIMITED'}",
        ]
        self._file.write((" ".join(head) + "\n").encode())

    def write(self, planes: tuple[Array, ...]) -> None:
        """Append one frame."""
        self._file.write(b"FRAME\n")
        for plane in planes:
            self._file.write(np.ascontiguousarray(plane).data.cast("B"))

    def finish(self) -> None:
        """Give the file its name; all frames are written."""
        if self._partial is not None:
            self._partial.commit()
        else:
            self._file.flush()  # type: ignore[union-attr]

    def discard(self) -> None:
        """Remove an unfinished file."""
        if self._partial is not None:
            self._partial.discard()


def y4m_format(wanted: FrameFormat) -> FrameFormat:
    """Returns the nearest format that Y4M supports."""
    if wanted.rgb or wanted.chroma not in (None, (1, 1), (1, 2), (2, 2)):
        return replace(wanted, chroma=(1, 1))
    return wanted


def _chroma_name(frame_format: FrameFormat) -> str:
    if frame_format.chroma is None:
        return "mono" if frame_format.depth == 8 else f"mono{frame_format.depth}"
    name = {(2, 2): "420", (1, 2): "422", (1, 1): "444"}[frame_format.chroma]
    if frame_format.depth > 8:
        return f"{name}p{frame_format.depth}"
    return name + ("jpeg" if frame_format.centred else "mpeg2") * (name == "420")
