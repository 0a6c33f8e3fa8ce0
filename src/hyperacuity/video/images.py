"""Frames of a video as 8-bit images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.formats.video.frames import FrameFormat, PlanarFrame
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.video import chroma


def rgb_frames(video: VideoSource) -> Iterator[NDArray[np.uint8]]:
    """Yields the frames as (H, W, 3) R, G, B by the video's own matrix and range, or (H, W, 1) of grey videos.

    They are as stored: the display matrix, which may rotate them, is not applied.
    """
    for frame in video:
        yield rgb_frame(frame, video.frame_format)


def rgb_frame(frame: PlanarFrame, frame_format: FrameFormat) -> NDArray[np.uint8]:
    """Returns one frame as `rgb_frames` does."""
    shown: Any
    if frame_format.chroma is None:
        low, high = frame_format.levels
        shown = (np.stack(frame.planes[:1]) - np.float32(low)) / np.float32(high - low)
    else:
        shown = chroma.frame_to_rgb(frame.planes, frame_format)
    codes = np.clip(shown * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)  # rounded half up
    return np.ascontiguousarray(codes.transpose(1, 2, 0))
