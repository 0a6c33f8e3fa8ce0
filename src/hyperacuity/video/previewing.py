"""One frame of a video before and after, as an image."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import formats
from hyperacuity.errors import UnsupportedFormat
from hyperacuity.formats.video.folder import folder_format
from hyperacuity.formats.video.frames import PlanarFrame
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import Part
from hyperacuity.image import Image
from hyperacuity.size import Size
from hyperacuity.storage import may_write, storing
from hyperacuity.task import Options, Outcome, VideoOptions
from hyperacuity.upscaler import Upscaler
from hyperacuity.video.enlarging import Enlarger
from hyperacuity.video.images import rgb_frame
from hyperacuity.video.options import open_source, stored_size
from hyperacuity.video.rotation import quarter_turns

# Between the two halves, in pixels.
_GAP = 8


def preview(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    size: Size,
    options: VideoOptions | None = None,
    *,
    force: bool = False,
) -> Outcome:
    """Write one frame of a video as an image: on the left upscaled by bicubic, on the right by the model.

    Args:
        upscaler: The model.
        source: A video file, or a folder of frames.
        target: The image to write.
        size: Of each half, as displayed.
        options: How the video is read; `start` says which frame, by default one in the middle.
        force: Overwrite a target that exists.

    Returns:
        The outcome, of one frame.

    Raises:
        UnsupportedFormat: If `target` names no image.
        UsageError: If the preview cannot be made with these options; also everything that `run.upscale` raises for the
            source.
    """
    begun, options = time.perf_counter(), options or VideoOptions()
    may_write(target, source, force=force)
    video = open_source(source, options)
    if not video.part.start:
        video = open_source(source, options, _middle(video))
    before, after = (video.frame_format.height, video.frame_format.width), stored_size(video, size)
    with storing(target):
        _write(upscaler, video, after, target)
    return Outcome(
        str(source),
        str(target),
        "video",
        before=before,
        after=after,
        models=upscaler.names(before, after),
        frames=1,
        seconds=time.perf_counter() - begun,
    )


def _middle(video: VideoSource) -> Part:
    """The part of a video from its middle on; the whole video if its length is unknown."""
    return Part(Fraction(math.floor(video.frames / video.rate / 2)))


def _write(upscaler: Upscaler, video: VideoSource, size: tuple[int, int], path: Path) -> None:
    """Write the two versions of the first frame as displayed: rotated if the video is, and with square pixels."""
    if not formats.knows(path):
        raise UnsupportedFormat(
            f"{path} does not name an image, which a preview is: give a name such as {path.stem}.png"
        )
    frame = next(iter(video))
    halves = [_enlarged(each, video, frame, size) for each in (Upscaler(Options(model="bicubic")), upscaler)]
    upright = [np.rot90(half, quarter_turns(video.display_matrix)) for half in halves]
    gap = np.full((upright[0].shape[0], _GAP, upright[0].shape[2]), 255, np.uint8)
    sheet = np.concatenate([upright[0], gap, upright[1]], axis=1)
    with formats.write(path, None) as sink:
        sink.write(Image.from_pixels(sheet).strips())


def _enlarged(upscaler: Upscaler, video: VideoSource, frame: PlanarFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, C) in 8 bits, computed from luma and chroma as in the video."""
    stored = replace(folder_format(video.frame_format.resized(*size)), depth=8)
    enlarger = Enlarger(upscaler, video.frame_format, size, stored)
    return rgb_frame(replace(frame, planes=enlarger.compute(frame).planes), stored)
