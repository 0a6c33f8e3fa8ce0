"""The pictures of a test set: found, paired and looked at before any work begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import datasets
from hyperacuity.datasets import Pair, Pixels8
from hyperacuity.errors import UsageError
from hyperacuity.evaluate.measures import Metric


@dataclass(frozen=True)
class Member:
    """One picture of a set; its LR where that is given. name: its path in the set, without the ending."""

    name: str
    path: Path
    lr: Path | None = None

    def pair(self, scale: int) -> Pair:
        """Both resolutions in 8 bits; HR is cut to whole LR pixels, as all tables have it.

        Raises `UsageError` where a given LR has another size or other channels than the HR's.
        """
        return datasets.read_pair(self.path, self.lr, scale)


@dataclass(frozen=True)
class PictureSet:
    """A folder of pictures; the set is called like it."""

    name: str
    path: Path
    members: Sequence[Member]

    @property
    def given_lr(self) -> bool:
        return self.members[0].lr is not None

    @property
    def count(self) -> int:
        return len(self.members)

    @property
    def files(self) -> Sequence[Path]:
        return [path for member in self.members for path in (member.path, member.lr) if path is not None]

    def pairs(self, scale: int) -> Iterator[tuple[str, Pair]]:
        """The name of each picture, and both its resolutions."""
        for member in self.members:
            yield member.name, member.pair(scale)


def find(folder: Path, scales: Sequence[int], metrics: Sequence[Metric], *, lr: Path | None = None) -> PictureSet:
    """All pictures below `folder`, each read once to be sure of it. lr: the folder of their LR, for one scale.

    An LR picture is called like its HR, or so with x2 (the scale) or _x2 at its end.

    Raises `UsageError` where there are none, some have no LR or another size, or are too small for a metric;
    `DamagedFile` and `UnsupportedFormat` for a file that is no picture.
    """
    for metric in metrics:
        if metric.of_videos:
            raise UsageError(f"{metric.name} is measured between the frames of a video, and {folder} is a folder")
    for below in (folder, lr):
        if below is not None and not below.is_dir():
            raise UsageError(f"there is no folder {below}")
    if lr is not None and len(scales) != 1:
        raise UsageError("LR pictures have one scale: give one --scale with --lr")
    paths = datasets.files([folder])
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    given = [None] * len(paths) if lr is None else _partners(names, lr, scales[0])
    members = [Member(*each) for each in zip(names, paths, given, strict=True)]
    for member in members:
        _check(member, scales, metrics)
    return PictureSet(folder.resolve().name, folder, members)


def _partners(names: Sequence[str], folder: Path, scale: int) -> list[Path]:
    found = datasets.find_lr(names, folder, scale)
    for name, path in zip(names, found, strict=True):
        if path is None:
            raise UsageError(f"{folder} has no LR for {name}: it must be called like the HR, or so with x{scale} added")
    return [path for path in found if path is not None]


def _check(member: Member, scales: Sequence[int], metrics: Sequence[Metric]) -> None:
    hr = datasets.read_image(member.path) if member.lr is None else member.pair(scales[0]).hr
    for scale in scales:
        shortest = min(hr.shape[:2]) // scale * scale
        for metric in metrics:
            if shortest < metric.needs(scale):
                raise UsageError(
                    f"{member.path} is too small for {metric.name} at x{scale}: of {_size(hr)} pixels, where "
                    f"{metric.needs(scale)} x {metric.needs(scale)} are needed; leave the picture or the metric out"
                )


def _size(picture: Pixels8) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
