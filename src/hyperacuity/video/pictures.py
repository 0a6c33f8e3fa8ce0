"""A video's frames as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.formats.video.frames import Frame, Layout
from hyperacuity.formats.video.reading import VideoSource
from hyperacuity.video import chroma


def pictures(video: VideoSource) -> Iterator[NDArray[np.uint8]]:
    """The frames as (H, W, 3) R, G, B by the video's own matrix and range, or (H, W, 1) of grey videos; as stored, not
    turned.
    """
    for frame in video:
        yield picture(frame, video.layout)


def picture(frame: Frame, look: Layout) -> NDArray[np.uint8]:
    """One of them."""
    shown: Any
    if look.chroma is None:
        low, high = look.levels
        shown = (np.stack(frame.planes[:1]) - np.float32(low)) / np.float32(high - low)
    else:
        shown = chroma.seen(frame.planes, look)
    codes = np.clip(shown * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)  # rounded half up
    return np.ascontiguousarray(codes.transpose(1, 2, 0))
