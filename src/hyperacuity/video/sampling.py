"""Frames spread over a video, by which a model is chosen for it."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.timeline import Part
from hyperacuity.task import VideoOptions
from hyperacuity.video.images import rgb_frames
from hyperacuity.video.options import open_source, parse_part

FRAMES = 5


def sample_frames(source: Path, options: VideoOptions) -> list[NDArray[np.uint8]]:
    """Read frames from the middles of `FRAMES` equal parts of a video; the same ones every time.

    Args:
        source: A video file, or a folder of frames.
        options: How it is read; only frames of the part that they select are taken.

    Returns:
        The frames as (H, W, C) R, G, B, or grey; at least one. Of a video of unknown length only the first.

    Raises:
        HyperacuityError: As `VideoSource` does.
    """
    video = open_source(source, options)
    begin, length = parse_part(options).start, video.frames / video.rate
    starts = [begin + Fraction(length * (2 * n + 1), 2 * FRAMES) for n in range(FRAMES)] if video.frames else []
    frames = []
    for start in starts:
        with contextlib.suppress(UsageError):  # the length is an estimate, and the video may end before
            frames += _first(source, options, Part(start))
    return frames or _first(source, options, Part(begin))


def _first(source: Path, options: VideoOptions, part: Part) -> list[NDArray[np.uint8]]:
    frame = next(rgb_frames(open_source(source, options, part)), None)
    return [] if frame is None else [frame]
