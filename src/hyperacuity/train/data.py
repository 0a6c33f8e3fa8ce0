"""Pictures for training: decoded once to 8 bits where they fit into memory, cut at random.

What is drawn follows from the seed and the step alone, so that a resumed training needs no state of a sampler, and
from a sample's number within the step, so that two processes see together what one would with twice the batch.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperacuity import datasets, machine
from hyperacuity.datasets import Picture
from hyperacuity.errors import UsageError
from hyperacuity.resize import resize

# How much of the free memory pictures may take.
SHARE = 0.5
# Where pictures are decoded while training: so many are held at a time, and each gives so many patches before another
# takes its place.
PICTURES, PATCHES = 64, 64
# How many pictures are set aside to validate on, at most: as many as Kodak's.
SET_ASIDE = 24
# How hard a patch is, is known on a grid of so many pixels.
BLOCK = 8


@dataclass(frozen=True)
class Source:
    """Where one picture comes from: its file, that of its LR if it has one of its own, and at what size it is used."""

    hr: Path
    lr: Path | None
    rescale: float


@dataclass(frozen=True)
class Cut:
    """A square to cut out of HR pictures at one scale: its side, and how much of it at each border is not learnt from
    but only degraded, so that what lies within is as if the whole picture had been.
    """

    scale: int
    side: int
    margin: int = 0

    @property
    def inner(self) -> int:
        return self.side - 2 * self.margin


@dataclass(frozen=True)
class Batch:
    """HR patches (N, C, S, S) uint8, and their LR (N, C, s, s) where they have their own."""

    cut: Cut
    hr: Tensor
    lr: Tensor | None

    def on(self, device: torch.device) -> Batch:
        hr = self.hr.to(device, non_blocking=True)
        return Batch(self.cut, hr, None if self.lr is None else self.lr.to(device, non_blocking=True))


def sources(train: Iterable[Path], lr: Iterable[Path], rescale: Iterable[float]) -> list[Source]:
    """Every picture below the folders `train` at each size of `rescale`; with its file of the same name below the
    folder of `lr` that stands beside its own, where there is one.

    Raises `UsageError` for a folder without pictures, and for a picture without its LR.
    """
    found = []
    beside = list(lr)
    for n, folder in enumerate(train):
        # Their names may differ in the ending, and in the "x2" or "_x2" that LR pictures carry.
        small = {_key(path, beside[n]): path for path in datasets.files([beside[n]])} if beside else {}
        for path in datasets.files([folder]):
            key = _key(path, folder)
            if beside and key not in small:
                raise UsageError(f"{path} has no picture of that name in {beside[n]}: add it, or leave out data.lr")
            found += [Source(path, small.get(key), factor) for factor in rescale]
    return found


def check_pair(source: Source, hr: Picture, lr: Picture, scale: int) -> None:
    """Raise `UsageError` where a picture's LR has not the size that belongs to it."""
    height, width = (side // scale for side in hr.shape[:2])
    if lr.shape[:2] != (height, width):
        raise UsageError(
            f"{source.lr} has {lr.shape[1]} x {lr.shape[0]} pixels; {width} x {height} belong to x{scale} of "
            f"{source.hr}"
        )


def set_aside(sources: Sequence[Source]) -> list[Source]:
    """Some of the pictures to learn from, at their own size, to validate on where no folder is named for that: a tenth
    of them, 24 at most, evenly spread. Raises `UsageError` where there is only one picture.
    """
    pictures = list({source.hr: Source(source.hr, source.lr, 1.0) for source in sources}.values())
    if len(pictures) < 2:
        raise UsageError(f"{pictures[0].hr} alone cannot be learnt from and measured: add pictures, or data.validation")
    count = min(SET_ASIDE, max(1, len(pictures) // 10))
    return [pictures[n * len(pictures) // count] for n in range(count)]


def _key(path: Path, folder: Path) -> str:
    return re.sub("_?x[2348]$", "", path.relative_to(folder).with_suffix("").as_posix())


class _Decoded(NamedTuple):
    """A picture, (H, W, C), its LR where it has its own, and the sums of `_missed` where patches are chosen by them."""

    hr: Picture
    lr: Picture | None
    missed: NDArray[np.float32] | None


class _Place(NamedTuple):
    """Where a patch without its margin begins in a picture."""

    picture: _Decoded
    top: int
    left: int

    def hardness(self, side: int) -> float:
        """How much bicubic misses in a patch of this side."""
        sums = self.picture.missed
        assert sums is not None
        (top, left), step = (at // BLOCK for at in self[1:]), max(1, side // BLOCK)
        bottom, right = min(top + step, len(sums) - 1), min(left + step, sums.shape[1] - 1)
        return float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])


class Patches:
    """Batches of HR patches; number n is that of the micro-step n, whatever came before.

    cuts: one for each scale; a batch has one of them, drawn at random. With LR pictures of their own, patches lie on
    the grid of LR pixels and have no margin. Near the border of a picture a patch goes on with its mirror image, as
    MATLAB's resampling does. hardest_of: so many are drawn for each, and the one that bicubic gives back worst is
    taken. rank, world: which of how many processes this is.

    Raises `UsageError` where no picture is as large as a patch.
    """

    def __init__(
        self,
        sources: list[Source],
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
            (source, [round(length * source.rescale) for length in datasets.shape(source.hr)]) for source in sources
        ]
        enough = [(source, shape) for source, shape in sized if min(shape) >= inner]
        if not enough:
            raise UsageError(f"no picture has {inner} x {inner} pixels, as a patch has: make data.patch smaller")
        self.sources = [source for source, _ in enough]
        area = np.array([height * width for _, (height, width) in enough], np.float64)
        self._cumulated: list[float] = np.cumsum(area / area.sum()).tolist()
        own = 2 if self.sources[0].lr else 1
        self.fits = float(area.sum()) * channels * own < SHARE * machine.available_memory()
        self._load = functools.lru_cache(None if self.fits else PICTURES)(self._decode)

    def load(self) -> Iterator[int]:
        """Decode all pictures where they fit into memory, telling how many are done."""
        for n in range(len(self.sources) if self.fits else 0):
            self._load(n)
            yield n + 1

    def _decode(self, number: int) -> _Decoded:
        source, scale = self.sources[number], self.cuts[0].scale
        hr = self._coloured(datasets.picture(source.hr))
        if source.rescale != 1:
            hr = resize(hr, scale=source.rescale)
        lr = None if source.lr is None else self._paired(source, hr)
        return _Decoded(hr, lr, _missed(hr, lr, scale) if self.hardest_of > 1 else None)

    def _paired(self, source: Source, hr: Picture) -> Picture:
        assert source.lr is not None
        lr = self._coloured(datasets.picture(source.lr))
        check_pair(source, hr, lr, self.cuts[0].scale)
        return lr

    def _coloured(self, picture: Picture) -> Picture:
        """(H, W, 1) luma or (H, W, 3)."""
        if self.channels == 1:
            return datasets.luma(picture)[..., None]
        return picture if picture.shape[-1] == 3 else picture.repeat(3, axis=-1)

    def __getitem__(self, step: int) -> Batch:
        first = self.rank * self.size
        random = np.random.default_rng([self.seed, step])
        cut = self.cuts[int(random.integers(len(self.cuts)))]
        # Lists: one number at a time, Python's own are the faster ones.
        drawn = random.random((self.size * self.world, 6))[first : first + self.size].tolist()
        others = random.random((self.size * self.world, self.hardest_of - 1, 3))[first : first + self.size].tolist()
        sample = step * self.size * self.world + first
        patches = [
            self._patch(cut, sample + n, (row[:3], *more), row[3:])
            for n, (row, more) in enumerate(zip(drawn, others, strict=True))
        ]
        hr, lr = _planes([hr for hr, _ in patches]), [lr for _, lr in patches if lr is not None]
        return Batch(cut, hr, _planes(lr) if lr else None)

    def _patch(
        self, cut: Cut, sample: int, drawn: Sequence[Sequence[float]], turns: Sequence[float]
    ) -> tuple[Picture, Picture | None]:
        places = [self._place(cut, sample, one) for one in drawn]
        (hr, lr, _), top, left = (
            max(places, key=lambda place: place.hardness(cut.inner)) if len(places) > 1 else places[0]
        )
        patch = _turned(_window(hr, top - cut.margin, left - cut.margin, cut.side), turns)
        if lr is None:
            return patch, None
        return patch, _turned(_window(lr, top // cut.scale, left // cut.scale, cut.side // cut.scale), turns)

    def _place(self, cut: Cut, sample: int, drawn: Sequence[float]) -> _Place:
        """Of three numbers in [0, 1): which picture, how far down, how far across."""
        which, down, across = drawn
        picture = self._load(self._picture(sample, which))
        grid, (height, width, _) = 1 if picture.lr is None else cut.scale, picture.hr.shape
        top = int(down * ((height - cut.inner) // grid + 1)) * grid
        left = int(across * ((width - cut.inner) // grid + 1)) * grid
        return _Place(picture, top, left)

    def _picture(self, sample: int, drawn: float) -> int:
        """By area, so that each pixel of all pictures is as likely; where they are decoded, one of those that are held,
        each of which makes room for another at its own time, so that nobody waits for many at once.
        """
        if not self.fits:
            held = sample % PICTURES
            turn = (sample + held * PATCHES) // (PICTURES * PATCHES)
            drawn = float(np.random.default_rng([self.seed, turn, held]).random())
        return min(bisect.bisect_right(self._cumulated, drawn), len(self.sources) - 1)


def batches(patches: Patches, start: int, stop: int, workers: int) -> Iterator[Batch]:
    """The batches of micro-steps `start` to `stop`; where pictures must be decoded, by `workers` threads ahead of time.

    Threads, not processes: codecs leave Python to the others while they work, and a picture is decoded once for all.
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


def _missed(hr: Picture, lr: Picture | None, scale: int) -> NDArray[np.float32]:
    """The squared error of bicubic, summed over all blocks of `BLOCK` pixels above and to the left of a corner, so that
    four corners give the sum in a patch: (rows + 1, columns + 1).

    It is what Wang et al. choose patches by (SamplingAug, BMVC 2021, arXiv 2111.15185).
    """
    height, width = (max(1, side // scale) for side in hr.shape[:2])
    hr = hr[: height * scale, : width * scale]
    again = resize(resize(hr, size=(height, width)) if lr is None else lr, size=hr.shape[:2])
    error = np.square(again.astype(np.float32) - hr).mean(-1)
    rows, columns = (side // BLOCK for side in error.shape)
    blocks = error[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).sum((1, 3), dtype=np.float64)
    return np.pad(blocks.cumsum(0).cumsum(1), ((1, 0), (1, 0))).astype(np.float32)


def _turned(patch: Picture, drawn: Sequence[float]) -> Picture:
    """A view of a square patch, one of eight by three numbers in [0, 1): transposed, then flipped up-down, then
    left-right.
    """
    transposed, upright, across = (number < 0.5 for number in drawn)
    patch = patch.swapaxes(0, 1) if transposed else patch
    return patch[:: -1 if upright else 1, :: -1 if across else 1]


def _planes(patches: list[Picture]) -> Tensor:
    """(H, W, C) each -> (N, C, H, W)."""
    return torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2)


def _window(picture: Picture, top: int, left: int, side: int) -> Picture:
    """A square of `picture`, mirrored where it goes beyond."""
    height, width = picture.shape[:2]
    if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
        return picture[top : top + side, left : left + side]
    rows, columns = _mirrored(top, side, height), _mirrored(left, side, width)
    mirrored: Picture = picture[rows].take(columns, axis=1)  # several times as fast as picture[rows[:, None], columns]
    return mirrored


def _mirrored(start: int, count: int, length: int) -> NDArray[Any]:
    """Positions start .. start + count - 1 on an axis that is mirrored at both ends, its last sample twice."""
    at = np.arange(start, start + count) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)
