"""Frames that are not encoded: a stream of Y4M, or a folder of pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from hyperacuity import formats
from hyperacuity.formats.video.frames import FULL, Array, Layout
from hyperacuity.image import Image
from hyperacuity.storage import Partial


class Raw(Protocol):
    """Takes frame after frame; `close` once all are there, `discard` when they will not come."""

    def write(self, planes: tuple[Array, ...]) -> None: ...
    def close(self) -> None: ...
    def discard(self) -> None: ...


class Y4M:
    """The format in which video tools talk through pipes; its frames follow each other at one rate.

    file: where it goes; a path appears under its name only when it is whole.
    """

    def __init__(self, file: Path | IO[bytes], look: Layout, rate: Fraction, aspect: Fraction | None) -> None:
        self._partial = Partial(file) if isinstance(file, Path) else None
        self._file: Partial | IO[bytes] = self._partial or file  # type: ignore[assignment]
        head = [
            f"YUV4MPEG2 W{look.width} H{look.height} F{rate.numerator}:{rate.denominator} Ip",
            "A0:0" if aspect is None else f"A{aspect.numerator}:{aspect.denominator}",
            f"C{_chroma(look)}",
            f"XCOLORRANGE={'FULL' if look.colour.range == FULL else 'LIMITED'}",
        ]
        self._file.write((" ".join(head) + "\n").encode())

    def write(self, planes: tuple[Array, ...]) -> None:
        self._file.write(b"FRAME\n")
        for plane in planes:
            self._file.write(np.ascontiguousarray(plane).data.cast("B"))

    def close(self) -> None:
        if self._partial is not None:
            self._partial.commit()
        else:
            self._file.flush()  # type: ignore[union-attr]

    def discard(self) -> None:
        if self._partial is not None:
            self._partial.discard()


def y4m_layout(look: Layout) -> Layout:
    """The nearest layout that Y4M can name."""
    if look.rgb or look.chroma not in (None, (1, 1), (1, 2), (2, 2)):
        return replace(look, chroma=(1, 1))
    return look


def _chroma(look: Layout) -> str:
    if look.chroma is None:
        return "mono" if look.depth == 8 else f"mono{look.depth}"
    name = {(2, 2): "420", (1, 2): "422", (1, 1): "444"}[look.chroma]
    if look.depth > 8:
        return f"{name}p{look.depth}"
    return name + ("jpeg" if look.centred else "mpeg2") * (name == "420")


class Folder:
    """A picture for each frame, such as "frames/%06d.png", counted from 1; existing ones are overwritten."""

    def __init__(self, pattern: Path, look: Layout, quality: int | None = None) -> None:
        self._pattern, self._look, self._quality, self._count = pattern, look, quality, 0
        pattern.parent.mkdir(parents=True, exist_ok=True)

    def write(self, planes: tuple[Array, ...]) -> None:
        self._count += 1
        path = self._pattern.with_name(self._pattern.name % self._count)
        pixels = np.stack(planes, -1)
        with formats.write(path, None, quality=self._quality) as sink:
            sink.write(Image.from_pixels(pixels, levels=self._look.levels).strips())

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


def folder_layout(look: Layout) -> Layout:
    """R, G, B or grey in 8 or 16 bits over the whole range, as pictures have it."""
    colour = replace(look.colour, matrix=0 if look.chroma is not None else look.colour.matrix, range=FULL)
    return replace(look, depth=8 if look.depth == 8 else 16, chroma=look.chroma and (1, 1), colour=colour)
