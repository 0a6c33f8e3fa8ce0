"""One frame of a video, before and after, as a picture."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import api, formats
from hyperacuity.api import Upscaler
from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.video.frames import Frame
from hyperacuity.formats.video.raw import folder_layout
from hyperacuity.formats.video.reading import Part, VideoSource
from hyperacuity.image import Image
from hyperacuity.video.enlarging import Enlarger
from hyperacuity.video.pictures import picture

# Between the two, in pixels.
GAP = 8


def middle(video: VideoSource) -> Part:
    """The part of a video that begins in its middle; the whole where nobody knows how long it is."""
    return Part(Fraction(math.floor(video.frames / video.rate / 2)))


def write(upscaler: Upscaler, video: VideoSource, target: tuple[int, int], path: Path) -> None:
    """Write the first frame of a video's part: left by bicubic to (height, width) `target`, right by the model;
    as it is shown, turned where the video is, but with square pixels.

    Raises `UnsupportedFormat` where `path` names no picture.
    """
    if not formats.knows(path):
        raise UnsupportedFormat(f"{path} names no picture: a preview is one, such as {path.stem}.png")
    frame = next(iter(video))
    panels = [_enlarged(one, video, frame, target) for one in (api.load("bicubic"), upscaler)]
    upright = [np.rot90(panel, _quarters(video.matrix)) for panel in panels]
    gap = np.full((upright[0].shape[0], GAP, upright[0].shape[2]), 255, np.uint8)
    sheet = np.concatenate([upright[0], gap, upright[1]], axis=1)
    with formats.write(path, None) as sink:
        sink.write(Image.from_pixels(sheet).strips())


def _enlarged(upscaler: Upscaler, video: VideoSource, frame: Frame, target: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, C) in 8 bits, from its own luma and chroma as in the video."""
    stored = replace(folder_layout(video.layout.resized(*target)), depth=8)
    enlarger = Enlarger(upscaler, video.layout, target, stored)
    planes = enlarger.compute(frame).planes
    return picture(replace(frame, planes=planes), stored)


def _quarters(matrix: tuple[int, ...] | None) -> int:
    """How many quarter turns against the clock show the picture as its display matrix does."""
    return 0 if matrix is None else round(-math.atan2(matrix[1], matrix[0]) / (math.pi / 2)) % 4
