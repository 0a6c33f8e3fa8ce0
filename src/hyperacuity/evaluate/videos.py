"""A video as a test set: its frames are the pictures, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hyperacuity import datasets
from hyperacuity.datasets import Pair, Picture
from hyperacuity.errors import UsageError
from hyperacuity.evaluate.measures import Metric
from hyperacuity.formats.video.source import VideoSource
from hyperacuity.formats.video.timeline import Part
from hyperacuity.video.images import rgb_frames


@dataclass(frozen=True)
class Frames:
    """Which of a video's frames are measured: from `start` seconds on each `stride`-th, at most `most`."""

    start: Fraction = Fraction(0)
    stride: int = 1
    most: int | None = None

    def of(self, video: VideoSource) -> Iterator[Picture]:
        """(H, W, C) uint8, see `video.images`."""
        return itertools.islice(
            rgb_frames(video), 0, None if self.most is None else self.most * self.stride, self.stride
        )


@dataclass(frozen=True)
class VideoSet:
    """A video; the set is called like its file. count: about how many frames are measured, 0 where nobody knows."""

    name: str
    path: Path
    frames: Frames
    count: int
    size: tuple[int, int]

    given_lr = False

    @property
    def files(self) -> Sequence[Path]:
        return [self.path]

    def pairs(self, scale: int) -> Iterator[tuple[str, Pair]]:
        """The number of each frame, and both its resolutions in 8 bits; LR by MATLAB's bicubic."""
        for n, hr in enumerate(self.frames.of(_opened(self.path, self.frames))):
            yield f"{n * self.frames.stride:06}", datasets.pair(hr, scale)


def find(path: Path, scales: Sequence[int], metrics: Sequence[Metric], frames: Frames) -> VideoSet:
    """Raises `UsageError` for a video that is too small for a metric, and all that a video raises."""
    video = _opened(path, frames)
    height, width = video.frame_format.height, video.frame_format.width
    for scale, metric in itertools.product(scales, metrics):
        if min(height, width) // scale * scale < metric.needs(scale):
            raise UsageError(
                f"{path} is too small for {metric.name} at x{scale}: of {width} x {height} pixels, where "
                f"{metric.needs(scale)} x {metric.needs(scale)} are needed"
            )
    count = -(-video.frames // frames.stride)
    return VideoSet(path.name, path, frames, min(count, frames.most or count), (height, width))


class Made:
    """A video that has been made already, held against a set frame by frame.

    Raises `UsageError` where its frames are of another size than the set's, or end before them.
    """

    def __init__(self, path: Path, of: VideoSet) -> None:
        self.path, self.of = path, of
        video = _opened(path, of.frames)
        if (video.frame_format.height, video.frame_format.width) != of.size:
            raise UsageError(
                f"{path} has {video.frame_format.width} x {video.frame_format.height} pixels and {of.path} "
                f"{of.size[1]} x {of.size[0]}: a result is held against the video that it should be, of the same size"
            )
        self._frames = of.frames.of(video)

    def next(self, pair: Pair) -> Picture:
        """The next frame, cut as HR is."""
        frame = next(self._frames, None)
        if frame is None:
            raise UsageError(f"{self.path} ends before {self.of.path}: give --frames to compare what both have")
        if frame.shape[2] != pair.hr.shape[2]:
            raise UsageError(f"one of {self.path} and {self.of.path} is grey and the other is not: convert one of them")
        return frame[: pair.hr.shape[0], : pair.hr.shape[1]]


def _opened(path: Path, frames: Frames) -> VideoSource:
    return VideoSource(path, part=Part(frames.start))
