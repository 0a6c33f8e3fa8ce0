"""Batches of stored pairs; batch n is the same whatever was read before it.

A folder of pairs holds shards, and the folder `validation`, of the same form: `lr.npy` (N, s, s, 3), `truth.npy` and,
with a teacher, `teacher.npy` (N, S, S, 3), all uint8, and `pairs.csv`, which records the kind of each pair. They are
mapped into memory, not read as a whole.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyperacuity import machine
from hyperacuity.datasets import Pixels8
from hyperacuity.errors import UsageError
from hyperacuity.train.pairs.settings import PairsTable
from hyperacuity.train.patches import SHARE, turned

# Pairs of a shard.
SHARD = 500
VALIDATION = "validation"


class Shard(NamedTuple):
    """Some stored pairs: their kinds, LR, what the teacher has made of it (the truth without one), and the truth."""

    kinds: list[str]
    lr: Pixels8
    teacher: Pixels8
    truth: Pixels8


@dataclass(frozen=True)
class PairBatch:
    """A batch of pairs on 0..255, in uint8.

    Attributes:
        lr: (N, 3, s, s).
        teacher, truth: (N, 3, S, S).
        shares: (N, 1, 1, 1) float32, the share of the truth in the target.
        is_truth: (N, 1, 1, 1) bool, whether the truth counts as real, else the teacher's result.
    """

    lr: Tensor
    teacher: Tensor
    truth: Tensor
    shares: Tensor
    is_truth: Tensor

    def to(self, device: torch.device) -> PairBatch:
        """Copy to a device."""
        moved: Any = {name: value.to(device, non_blocking=True) for name, value in vars(self).items()}
        return replace(self, **moved)

    def planes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return LR, the target and the real images, in [0, 1]."""
        teacher, truth = self.teacher.float() / 255, self.truth.float() / 255
        real = torch.where(self.is_truth, truth, teacher)
        return self.lr.float() / 255, torch.lerp(teacher, truth, self.shares), real


def read_shard(folder: Path, *, with_teacher: bool) -> Shard:
    """Open the pairs of a folder.

    Raises:
        UsageError: If files are missing or damaged.
    """
    try:
        with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
            kinds = [row["kind"] for row in csv.DictReader(file)]
        lr, truth = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("lr", "truth"))
        teacher = np.load(folder / "teacher.npy", mmap_mode="r") if with_teacher else truth
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise UsageError(f"{folder} cannot be read as stored pairs ({error}): delete it to make it again") from error
    if not len(kinds) == len(lr) == len(truth) == len(teacher) or truth.shape != teacher.shape:
        raise UsageError(f"{folder} holds arrays that do not fit each other: delete it to make it again")
    return Shard(kinds, lr, teacher, truth)


def shard_folders(folder: Path, count: int) -> list[Path]:
    """Return the folders of the shards that hold `count` pairs."""
    return [folder / f"shard-{number:05d}" for number in range(-(-count // SHARD))]


class _Sample(NamedTuple):
    """A patch of a pair, and the share of the truth in its target."""

    lr: Pixels8
    teacher: Pixels8
    truth: Pixels8
    share: float


class StoredPairs:
    """A sequence of batches of random parts of pairs, turned and mirrored.

    Args:
        folder: The pairs.
        settings: The recipe's [pairs].
        scale: HR pixels for each LR pixel along a side.
        patch: LR pixels of a side.
        batch: Samples of a batch, per process.
        seed: Decides all that is drawn.
        rank, world: The number of this process, and how many there are.

    Raises:
        UsageError: For pairs that are damaged, of another scale, or smaller than a patch.
    """

    def __init__(
        self,
        folder: Path,
        settings: PairsTable,
        *,
        scale: int,
        patch: int,
        batch: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.settings, self.scale, self.patch, self.size = settings, scale, patch, batch
        self.seed, self.rank, self.world = seed, rank, world
        with_teacher = bool(settings.teacher)
        self.shards = [read_shard(path, with_teacher=with_teacher) for path in shard_folders(folder, settings.count)]
        for shard in self.shards:
            check_sides(folder, shard, scale, patch)
        self._first = list(itertools.accumulate((len(shard.kinds) for shard in self.shards), initial=0))
        kinds = [kind for shard in self.shards for kind in shard.kinds][: settings.count]
        self._cumulated = _cumulated(kinds, settings.shares)
        total = sum(array.nbytes for shard in self.shards for array in shard[1:])
        self.fits = total < SHARE * machine.available_memory()

    def load(self) -> Iterator[int]:
        """Yield nothing: pairs are mapped into memory."""
        return iter(())

    def __getitem__(self, step: int) -> PairBatch:
        """Return the batch of a micro-step."""
        first = self.rank * self.size
        random = np.random.default_rng([self.seed, step])
        drawn = random.random((self.size * self.world, 7))[first : first + self.size].tolist()
        numbers = np.searchsorted(self._cumulated, [row[0] for row in drawn], side="right").tolist()
        samples = [self._sample(number, row) for number, row in zip(numbers, drawn, strict=True)]
        lr, teacher, truth = (_stacked(each) for each in zip(*(sample[:3] for sample in samples), strict=True))
        shares = torch.tensor([sample.share for sample in samples])
        is_truth = torch.tensor([sample.share > row[6] for sample, row in zip(samples, drawn, strict=True)])
        return PairBatch(lr, teacher, truth, shares.view(-1, 1, 1, 1), is_truth.view(-1, 1, 1, 1))

    def _sample(self, number: int, drawn: Sequence[float]) -> _Sample:
        """Cut a patch out of a pair, at a place and in an orientation by the numbers drawn for it."""
        at = int(np.searchsorted(self._first, number, side="right")) - 1
        shard, n = self.shards[at], number - self._first[at]
        down, across = (int(fraction * (shard.lr.shape[1] - self.patch + 1)) for fraction in drawn[1:3])
        lr = shard.lr[n, down : down + self.patch, across : across + self.patch]
        rows, columns = (slice(start * self.scale, (start + self.patch) * self.scale) for start in (down, across))
        share = self.settings.truth.get(shard.kinds[n], 1.0)
        teacher, truth = (turned(each[n, rows, columns], drawn[3:6]) for each in (shard.teacher, shard.truth))
        return _Sample(turned(lr, drawn[3:6]), teacher, truth, share)


def _stacked(patches: Sequence[Pixels8]) -> Tensor:
    """Stack patches (H, W, 3) to (N, 3, H, W)."""
    return torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2)


def check_sides(folder: Path, shard: Shard, scale: int, patch: int) -> None:
    """Check that pairs have the network's scale and hold a patch.

    Raises:
        UsageError: If they do not.
    """
    if shard.truth.shape[1] != shard.lr.shape[1] * scale or shard.truth.shape[2] != shard.lr.shape[2] * scale:
        raise UsageError(f"the pairs in {folder} are not of x{scale}: name another folder in pairs.folder")
    if min(shard.lr.shape[1:3]) < patch:
        raise UsageError(f"the pairs in {folder} have {shard.lr.shape[1]} LR pixels a side: make data.patch smaller")


def _cumulated(kinds: Sequence[str], shares: dict[str, float]) -> NDArray[np.float64]:
    """Return the cumulated probabilities of all pairs.

    Raises:
        UsageError: If no pair has a kind that is asked for.
    """
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    if missing := [kind for kind in shares if kind not in counts]:
        raise UsageError(f"pairs.shares: there are no pairs of {', '.join(missing)}")
    each = np.array([shares.get(kind, 0.0) / counts[kind] if shares else 1.0 for kind in kinds])
    cumulated: NDArray[np.float64] = np.cumsum(each / each.sum())
    cumulated[-1] = 1.0
    return cumulated
