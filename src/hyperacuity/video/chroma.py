"""Resizes chroma planes, respecting where the format places samples; converts to R, G, B by the video's matrix."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyperacuity.errors import UsageError
from hyperacuity.formats.video.frames import BT470BG, BT709, BT2020, FCC, SMPTE170M, SMPTE240M, UNSPECIFIED, FrameFormat
from hyperacuity.resize import Taps, cubic, resample

Planes = NDArray[np.float32]

# Luma's weights of red and blue (H.273, table 4).
_WEIGHTS = {
    BT709: (0.2126, 0.0722),
    FCC: (0.30, 0.11),
    BT470BG: (0.299, 0.114),
    SMPTE170M: (0.299, 0.114),
    SMPTE240M: (0.212, 0.087),
    BT2020: (0.2627, 0.0593),
}


def resize_chroma(planes: Planes, source: FrameFormat, target: FrameFormat) -> Planes:
    """Returns chroma (2, h, w) of one format at the size and sample positions of another, by antialiased bicubic."""
    rows, columns = _tables(source, target)
    return resample(resample(planes, rows, 1), columns, 2)


def resize_alpha(plane: NDArray[Any], source: FrameFormat, target: FrameFormat) -> NDArray[Any]:
    """Returns a plane of alpha at the size and depth of another format, by antialiased bicubic."""
    rows, columns = _alpha_tables(source.height, source.width, target.height, target.width)
    larger = resample(resample(plane[None].astype(np.float32), rows, 1), columns, 2)[0]
    most = (1 << target.depth) - 1
    codes = larger * np.float32(most / ((1 << source.depth) - 1)) + np.float32(0.5)
    resized: NDArray[Any] = np.clip(codes, 0, most).astype(target.dtype)
    return resized


@functools.lru_cache(maxsize=8)
def _alpha_tables(height: int, width: int, taller: int, wider: int) -> tuple[Taps, Taps]:
    down = _taps(height, 1, taller, 1, centred=True, centred_target=True)
    return down, _taps(width, 1, wider, 1, centred=True, centred_target=True)


@functools.lru_cache(maxsize=8)
def _tables(source: FrameFormat, target: FrameFormat) -> tuple[Taps, Taps]:
    assert source.chroma is not None
    assert target.chroma is not None
    down = _taps(source.height, source.chroma[0], target.height, target.chroma[0], centred=True, centred_target=True)
    across = _taps(
        source.width,
        source.chroma[1],
        target.width,
        target.chroma[1],
        centred=source.centred,
        centred_target=target.centred,
    )
    return down, across


def _taps(side: int, factor: int, target: int, target_factor: int, *, centred: bool, centred_target: bool) -> Taps:
    """The table that resamples an axis of chroma from `side` to `target` luma samples.

    factor: luma samples per chroma sample. centred: whether it lies in their middle, and not at the first of them.
    """
    samples, wanted = -(-side // factor), -(-target // target_factor)
    place = np.arange(wanted) * target_factor + (target_factor - 1) / 2 * centred_target  # in luma samples
    centre = ((place + 0.5) * side / target - 0.5 - (factor - 1) / 2 * centred) / factor
    widening = max(1.0, side * target_factor / (target * factor))
    reach = 2 * widening
    index = np.floor(centre - reach)[:, None] + np.arange(math.ceil(2 * reach) + 2)
    weights = cubic((centre[:, None] - index) / widening)
    weights /= weights.sum(axis=1, keepdims=True)
    used = weights.any(axis=0)
    mirror = np.concatenate([np.arange(samples), np.arange(samples)[::-1]])
    return Taps(mirror[index[:, used].astype(np.intp) % len(mirror)], weights[:, used])


def to_rgb(luma: Planes, chroma: Planes, frame_format: FrameFormat) -> Planes:
    """Returns code values of Y (H, W) and Cb, Cr (2, H, W) as R, G, B (3, H, W).

    Black is 0 and white 1; values may lie beyond.
    """
    red, blue = _weights(frame_format)
    low, high = frame_format.levels
    y = (luma - np.float32(low)) / np.float32(high - low)
    cb, cr = (chroma - np.float32(1 << frame_format.depth - 1)) / np.float32(_chroma_span(frame_format))
    r = y + np.float32(2 * (1 - red)) * cr
    b = y + np.float32(2 * (1 - blue)) * cb
    g = (y - np.float32(red) * r - np.float32(blue) * b) / np.float32(1 - red - blue)
    return np.stack([r, g, b])


def frame_to_rgb(planes: tuple[Any, ...], frame_format: FrameFormat) -> Planes:
    """Returns the planes of a frame as R, G, B (3, H, W), black 0 and white 1."""
    if frame_format.rgb:
        return np.stack(planes).astype(np.float32) / np.float32(frame_format.levels[1])
    colours = resize_chroma(np.stack(planes[1:]).astype(np.float32), frame_format, replace(frame_format, chroma=(1, 1)))
    return to_rgb(planes[0].astype(np.float32), colours, frame_format)


def from_rgb(rgb: Planes, frame_format: FrameFormat) -> tuple[Planes, Planes]:
    """Returns R, G, B (3, H, W) as code values, not rounded, of Y (H, W) and of Cb, Cr (2, H, W): undoes `to_rgb`."""
    red, blue = _weights(frame_format)
    low, high = frame_format.levels
    r, g, b = rgb
    y = np.float32(red) * r + np.float32(1 - red - blue) * g + np.float32(blue) * b
    chroma = np.stack([(b - y) / np.float32(2 * (1 - blue)), (r - y) / np.float32(2 * (1 - red))])
    chroma *= np.float32(_chroma_span(frame_format))
    chroma += np.float32(1 << frame_format.depth - 1)
    y *= np.float32(high - low)
    y += np.float32(low)
    return y, chroma


def convert_codes(planes: Any, source: FrameFormat, target: FrameFormat, *, chroma: bool) -> Any:
    """Returns code values of one depth and range as those of another; `chroma` if they are of Cb and Cr."""
    if (source.depth, source.levels) == (target.depth, target.levels):
        return planes
    if chroma:
        middle, other = 1 << source.depth - 1, 1 << target.depth - 1
        return (planes - np.float32(middle)) * np.float32(_chroma_span(target) / _chroma_span(source)) + np.float32(
            other
        )
    (low, high), (least, most) = source.levels, target.levels
    return (planes - np.float32(low)) * np.float32((most - least) / (high - low)) + np.float32(least)


def _chroma_span(frame_format: FrameFormat) -> int:
    """How many code values lie between the most negative and the most positive chroma."""
    low, high = frame_format.levels
    return high if low == 0 else 224 << frame_format.depth - 8


def _weights(frame_format: FrameFormat) -> tuple[float, float]:
    matrix = frame_format.colour.matrix
    if matrix == UNSPECIFIED:
        # Players assume the standard of the video's era if it is unspecified.
        matrix = BT709 if frame_format.height > 576 or frame_format.width >= 1280 else SMPTE170M
    if matrix not in _WEIGHTS:
        raise UsageError(
            f"its colours are coded with matrix {matrix}, which models on RGB do not support; models on luma do"
        )
    return _WEIGHTS[matrix]
