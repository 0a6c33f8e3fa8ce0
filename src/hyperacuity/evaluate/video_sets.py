"""A video as a test set: its frames are the images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import datasets
from hyperacuity.datasets import LeftOut, Pair
from hyperacuity.errors import UsageError, Use
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import Part
from hyperacuity.metrics import Metric
from hyperacuity.video.images import rgb_frames


@dataclass(frozen=True)
class FrameSelection:
    """Selects the frames of a video to measure.

    Attributes:
        start: Seconds from the beginning of the video.
        stride: Every `stride`-th frame from there.
        limit: At most this number of frames; all if None.
    """

    start: Fraction = Fraction(0)
    stride: int = 1
    limit: int | None = None

    def read(self, path: Path) -> Iterator[NDArray[np.uint8]]:
        """Yields the selected frames as (H, W, C) uint8; see `video.images.rgb_frames`."""
        return self.take(self.open(path))

    def open(self, path: Path) -> VideoSource:
        """Opens the video at `start`."""
        return VideoSource(path, part=Part(self.start))

    def take(self, video: VideoSource) -> Iterator[NDArray[np.uint8]]:
        """Yields the selected frames of a video that `open` returned."""
        end = None if self.limit is None else self.limit * self.stride
        return itertools.islice(rgb_frames(video), 0, end, self.stride)


@dataclass(frozen=True)
class VideoSet:
    """A video as a set, named after its file.

    Attributes:
        name: The name of the file.
        path: The file.
        frames: Which frames are measured.
        count: The approximate number of these frames; 0 if the container does not state it.
        size: Height and width of a frame.
    """

    name: str
    path: Path
    frames: FrameSelection
    count: int
    size: tuple[int, int]

    given_lr = False
    is_video = True
    left_out: Sequence[LeftOut] = ()

    @property
    def files(self) -> Sequence[Path]:
        """The files that must not be overwritten."""
        return [self.path]

    def pairs(self, scale: int) -> Iterator[tuple[str, Pair]]:
        """Yields the number of each frame, and the frame at both resolutions in 8 bits; LR by MATLAB's bicubic."""
        for n, hr in enumerate(self.frames.read(self.path)):
            yield f"{n * self.frames.stride:06}", datasets.pair(hr, scale)


def find_video(path: Path, scales: Sequence[int], metrics: Sequence[Metric], frames: FrameSelection) -> VideoSet:
    """Open a video and check that it can be measured.

    Raises:
        UsageError: If the video is too small for a metric at one of the scales.
        DamagedFile: If it cannot be read.
    """
    video = frames.open(path)
    height, width = video.frame_format.height, video.frame_format.width
    for scale, metric in itertools.product(scales, metrics):
        if min(height, width) // scale * scale < metric.required_side(scale):
            raise UsageError(
                f"{path} is too small for {metric.name} at x{scale}: it has {width} x {height} pixels, and "
                f"{metric.required_side(scale)} x {metric.required_side(scale)} are needed"
            )
    count = -(-video.frames // frames.stride)
    return VideoSet(path.name, path, frames, min(count, frames.limit or count), (height, width))


class FinishedVideo:
    """An existing result video, compared with a set frame by frame.

    Args:
        path: The video.
        truth: The set; its frames are the ground truth.

    Raises:
        UsageError: If its frames have another size than those of the set.
    """

    def __init__(self, path: Path, truth: VideoSet) -> None:
        self.path, self.truth = path, truth
        video = truth.frames.open(path)
        height, width = video.frame_format.height, video.frame_format.width
        if (height, width) != truth.size:
            raise UsageError(
                f"{path} has {width} x {height} pixels, but {truth.path} has {truth.size[1]} x {truth.size[0]}: a "
                "result and its ground truth must have the same size"
            )
        self._frames = truth.frames.take(video)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """None: damaged frames are repeated as the reader of videos does."""
        return ()

    def result_for(self, name: str, pair: Pair) -> NDArray[np.uint8]:
        """Returns the next frame, cut to the size of `pair.hr`.

        Raises:
            UsageError: If the video ends before the set, or only one of them is grey.
        """
        frame = next(self._frames, None)
        if frame is None:
            raise UsageError(f"{self.path} ends before {self.truth.path}", Use(frames="N"))
        if frame.shape[2] != pair.hr.shape[2]:
            raise UsageError(f"one of {self.path} and {self.truth.path} is grey and the other is not: convert one")
        return frame[: pair.hr.shape[0], : pair.hr.shape[1]]
