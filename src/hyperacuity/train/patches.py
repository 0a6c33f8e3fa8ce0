"""Random patches of images, which are decoded once if they fit into memory.

What is drawn follows from the seed and the step alone, so that a resumed run needs no state of a sampler, and from a
sample's number within the step, so that two processes together draw what one would with twice the batch.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperacuity import datasets, machine
from hyperacuity.datasets import LeftOut, Pixels8
from hyperacuity.errors import DamagedFile, HyperacuityError, OutOfMemory, UsageError
from hyperacuity.resize import resize
from hyperacuity.train.images import TrainingImage

Batch_co = TypeVar("Batch_co", covariant=True)
# The part of the available memory that images may take.
SHARE = 0.5
# If images are decoded during the run: how many are held at a time, and how many patches each gives before another
# replaces it.
HELD, PATCHES_EACH = 64, 64
# The error of bicubic is known on a grid of this many pixels.
BLOCK = 8


@dataclass(frozen=True)
class Cut:
    """A square to cut out of HR images.

    Attributes:
        scale: The scale that it is for.
        side: Its side in pixels, margins included.
        margin: Pixels at each border that are degraded but not learnt from, so that the inner part is degraded as it
            would be within the whole image.
    """

    scale: int
    side: int
    margin: int = 0

    @property
    def inner(self) -> int:
        """The side without margins."""
        return self.side - 2 * self.margin


@dataclass(frozen=True)
class PatchBatch:
    """HR patches (N, C, S, S) uint8, and their LR (N, C, s, s) uint8 if it is given."""

    cut: Cut
    hr: Tensor
    lr: Tensor | None

    def to(self, device: torch.device) -> PatchBatch:
        """Copy to a device."""
        hr = self.hr.to(device, non_blocking=True)
        return PatchBatch(self.cut, hr, None if self.lr is None else self.lr.to(device, non_blocking=True))


class Batches(Protocol[Batch_co]):
    """A sequence of batches. fits: whether all that they are cut from is in memory."""

    fits: bool

    def __getitem__(self, step: int, /) -> Batch_co: ...


class _Decoded(NamedTuple):
    """An image (H, W, C), its LR if that is given, and the sums of `_error_sums` if patches are chosen by them."""

    hr: Pixels8
    lr: Pixels8 | None
    errors: NDArray[np.float32] | None


class _Place(NamedTuple):
    """Where a patch without its margin begins in an image."""

    image: _Decoded
    top: int
    left: int

    def hardness(self, side: int) -> float:
        """Return the error of bicubic in a patch of this side."""
        sums = self.image.errors
        assert sums is not None
        (top, left), step = (at // BLOCK for at in self[1:]), max(1, side // BLOCK)
        bottom, right = min(top + step, len(sums) - 1), min(left + step, sums.shape[1] - 1)
        return float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])


class Patches:
    """A sequence of batches of HR patches; batch n is the same whatever was read before it.

    Patches with given LR lie on the grid of LR pixels and have no margin. Beyond an image's border a patch continues
    with the mirrored image, as in MATLAB's resampling.

    Args:
        images: What to cut from.
        cuts: One for each scale; each batch has one of them, drawn at random.
        channels: 1 for luma, 3 for RGB.
        batch: Patches of a batch, per process.
        seed: Decides all that is drawn.
        hardest_of: Draw this many patches for each and use the one that bicubic restores worst.
        rank, world: The number of this process, and how many there are.

    Raises:
        UsageError: If no image is as large as a patch.
    """

    def __init__(
        self,
        images: Sequence[TrainingImage],
        *,
        cuts: Sequence[Cut],
        channels: int,
        batch: int,
        seed: int,
        hardest_of: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.cuts, self.channels, self.size, self.hardest_of = cuts, channels, batch, hardest_of
        self.seed, self.rank, self.world = seed, rank, world
        inner = max(cut.inner for cut in cuts)
        sized = [
            (image, [round(length * image.rescale) for length in datasets.header_shape(image.hr)]) for image in images
        ]
        enough = [(image, shape) for image, shape in sized if min(shape) >= inner]
        if not enough:
            raise UsageError(f"no image is as large as a patch of {inner} x {inner} pixels: make data.patch smaller")
        self.images = [image for image, _ in enough]
        area = np.array([height * width for _, (height, width) in enough], np.float64)
        self._cumulated: list[float] = np.cumsum(area / area.sum()).tolist()
        arrays = 2 if self.images[0].lr else 1
        self.fits = float(area.sum()) * channels * arrays < SHARE * machine.available_memory()
        self._load = functools.lru_cache(None if self.fits else HELD)(self._decode)
        self._damaged: set[Path] = set()
        self._lock = threading.Lock()

    def load(self) -> Iterator[int]:
        """Decode all images if they fit into memory; yields how many are done."""
        for n in range(len(self.images) if self.fits else 0):
            self._load_from(n)
            yield n + 1

    def _load_from(self, number: int) -> _Decoded:
        """Return the image of a number, or in place of one that cannot be decoded the next one that can.

        The replacement follows from the files alone, so that a resumed run draws the same patches.

        Raises:
            UsageError: If no image can be decoded.
        """
        for n in range(number, number + len(self.images)):
            image = self.images[n % len(self.images)]
            if image.hr in self._damaged:
                continue
            try:
                return self._load(n % len(self.images))
            except DamagedFile as error:
                with self._lock:
                    is_new = image.hr not in self._damaged
                    self._damaged.add(image.hr)
                if is_new:
                    datasets.warn_left_out([LeftOut(image.hr, error)])
        raise UsageError("none of the images to learn from can be decoded: check the files or the disk they are on")

    def _decode(self, number: int) -> _Decoded:
        image, scale = self.images[number], self.cuts[0].scale
        hr = self._read(image.hr)
        if image.rescale != 1:
            hr = resize(hr, scale=image.rescale)
        lr = None
        if image.lr is not None:
            lr = self._read(image.lr)
            datasets.check_pair(hr, lr, scale, hr_path=image.hr, lr_path=image.lr)
        return _Decoded(hr, lr, _error_sums(hr, lr, scale) if self.hardest_of > 1 else None)

    def _read(self, path: Path) -> Pixels8:
        try:
            return datasets.to_channels(datasets.read_image(path), self.channels)
        except OutOfMemory:
            raise
        except HyperacuityError as error:  # also a file that is not there any more
            raise DamagedFile(error.message, *error.cures) from error

    def __getitem__(self, step: int) -> PatchBatch:
        """Return the batch of a micro-step: of one of the `accumulate` batches of a step."""
        first = self.rank * self.size
        random = np.random.default_rng([self.seed, step])
        cut = self.cuts[int(random.integers(len(self.cuts)))]
        # Lists, since reading single numbers from them is faster than from arrays.
        drawn = random.random((self.size * self.world, 6))[first : first + self.size].tolist()
        others = random.random((self.size * self.world, self.hardest_of - 1, 3))[first : first + self.size].tolist()
        sample = step * self.size * self.world + first
        patches = [
            self._patch(cut, sample + n, (row[:3], *more), row[3:])
            for n, (row, more) in enumerate(zip(drawn, others, strict=True))
        ]
        hr, lr = _planes([hr for hr, _ in patches]), [lr for _, lr in patches if lr is not None]
        return PatchBatch(cut, hr, _planes(lr) if lr else None)

    def _patch(
        self, cut: Cut, sample: int, drawn: Sequence[Sequence[float]], turns: Sequence[float]
    ) -> tuple[Pixels8, Pixels8 | None]:
        places = [self._place(cut, sample, one) for one in drawn]
        (hr, lr, _), top, left = (
            max(places, key=lambda place: place.hardness(cut.inner)) if len(places) > 1 else places[0]
        )
        patch = turned(_window(hr, top - cut.margin, left - cut.margin, cut.side), turns)
        if lr is None:
            return patch, None
        return patch, turned(_window(lr, top // cut.scale, left // cut.scale, cut.side // cut.scale), turns)

    def _place(self, cut: Cut, sample: int, drawn: Sequence[float]) -> _Place:
        """Choose an image and a position by three numbers in [0, 1): which image, how far down, how far across."""
        which, down, across = drawn
        image = self._load_from(self._number(sample, which))
        grid, (height, width, _) = 1 if image.lr is None else cut.scale, image.hr.shape
        top = int(down * ((height - cut.inner) // grid + 1)) * grid
        left = int(across * ((width - cut.inner) // grid + 1)) * grid
        return _Place(image, top, left)

    def _number(self, sample: int, drawn: float) -> int:
        """Choose an image by area, so that each pixel of all images is equally likely.

        If images are decoded during the run, it is one of those held. Each is replaced at a time of its own, so that
        the run never waits for many at once.
        """
        if not self.fits:
            slot = sample % HELD
            turn = (sample + slot * PATCHES_EACH) // (HELD * PATCHES_EACH)
            drawn = float(np.random.default_rng([self.seed, turn, slot]).random())
        return min(bisect.bisect_right(self._cumulated, drawn), len(self.images) - 1)


def read_batches(patches: Batches[Batch_co], start: int, stop: int, workers: int) -> Generator[Batch_co]:
    """Yield the batches `start` to `stop`, cut ahead of time by threads if images are decoded during the run.

    Threads, not processes: codecs release Python's lock while they work, and an image is decoded once for all.
    """
    if patches.fits or not workers:
        yield from (patches[step] for step in range(start, stop))
        return
    pool = ThreadPoolExecutor(workers)
    try:
        steps = iter(range(start, stop))
        ahead = deque(pool.submit(patches.__getitem__, step) for step in itertools.islice(steps, 2 * workers))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(patches.__getitem__, step) for step in itertools.islice(steps, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _error_sums(hr: Pixels8, lr: Pixels8 | None, scale: int) -> NDArray[np.float32]:
    """Sum the squared error of bicubic over all blocks of `BLOCK` pixels above and to the left of each corner.

    Four corners of the (rows + 1, columns + 1) then give the sum in a patch, by which patches are chosen as by Wang et
    al. (SamplingAug, BMVC 2021, arXiv 2111.15185).
    """
    height, width = (max(1, side // scale) for side in hr.shape[:2])
    hr = hr[: height * scale, : width * scale]
    again = resize(resize(hr, size=(height, width)) if lr is None else lr, size=hr.shape[:2])
    error = np.square(again.astype(np.float32) - hr).mean(-1)
    rows, columns = (side // BLOCK for side in error.shape)
    blocks = error[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).sum((1, 3), dtype=np.float64)
    return np.pad(blocks.cumsum(0).cumsum(1), ((1, 0), (1, 0))).astype(np.float32)


def turned(patch: Pixels8, drawn: Sequence[float]) -> Pixels8:
    """Return one of eight views of a square patch, by three numbers in [0, 1): transposed, flipped down, and across."""
    transposed, upright, across = (number < 0.5 for number in drawn)
    patch = patch.swapaxes(0, 1) if transposed else patch
    return patch[:: -1 if upright else 1, :: -1 if across else 1]


def _planes(patches: list[Pixels8]) -> Tensor:
    """Stack patches (H, W, C) to (N, C, H, W)."""
    return torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2)


def _window(image: Pixels8, top: int, left: int, side: int) -> Pixels8:
    """Cut a square out of an image, mirrored beyond its border."""
    height, width = image.shape[:2]
    if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
        return image[top : top + side, left : left + side]
    rows, columns = _mirrored(top, side, height), _mirrored(left, side, width)
    mirrored: Pixels8 = image[rows].take(columns, axis=1)  # several times as fast as image[rows[:, None], columns]
    return mirrored


def _mirrored(start: int, count: int, length: int) -> NDArray[Any]:
    """Map positions start .. start + count - 1 to an axis mirrored at both ends, its last sample twice."""
    at = np.arange(start, start + count) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)
