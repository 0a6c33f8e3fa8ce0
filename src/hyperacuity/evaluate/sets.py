"""A folder of images as a test set: found, paired and checked before work begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import datasets
from hyperacuity.datasets import Pair, Pixels8
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.metrics import Metric


@dataclass(frozen=True)
class ImageSetMember:
    """One image of a set.

    Attributes:
        name: Its path in the set, without the suffix.
        path: The HR file.
        lr: The LR file, if LR is given.
    """

    name: str
    path: Path
    lr: Path | None = None

    def pair(self, scale: int) -> Pair:
        """Both resolutions in 8 bits; HR is cut to whole LR pixels, as in all published tables.

        Raises `UsageError` where a given LR has another size or other channels than the HR's.
        """
        return datasets.read_pair(self.path, self.lr, scale)


@dataclass(frozen=True)
class ImageSet:
    """A folder of images; the set has the name of the folder."""

    name: str
    path: Path
    members: Sequence[ImageSetMember]

    is_video = False

    @property
    def given_lr(self) -> bool:
        """Whether LR images came with the set."""
        return self.members[0].lr is not None

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.members)

    @property
    def files(self) -> Sequence[Path]:
        """The files that must not be overwritten."""
        return [path for member in self.members for path in (member.path, member.lr) if path is not None]

    def pairs(self, scale: int) -> Iterator[tuple[str, Pair]]:
        """Yields the name of each image, and the image at both resolutions."""
        for member in self.members:
            yield member.name, member.pair(scale)


def find_images(folder: Path, scales: Sequence[int], metrics: Sequence[Metric], *, lr: Path | None = None) -> ImageSet:
    """Find all images below `folder`, and read each once to check that it can be measured.

    Args:
        folder: HR images.
        scales: The scales at which the set will be measured.
        metrics: The metrics that will be measured.
        lr: A folder of LR images, for a single scale. An LR image has the name of its HR image, or that name followed
            by x2 or _x2, where 2 is the scale.

    Raises:
        UsageError: If there are no images, an LR image is missing or has another size, or an image is too small.
        DamagedFile: If a file is damaged.
        UnsupportedFormat: If a file is not an image.
    """
    for metric in metrics:
        if metric.needs_video:
            raise UsageError(f"{metric.name} is measured between the frames of a video, but {folder} is a folder")
    for below in (folder, lr):
        if below is not None and not below.is_dir():
            raise UsageError(f"there is no folder {below}")
    if lr is not None and len(scales) != 1:
        raise UsageError("LR images have one scale, but several are given", Use(scale="N"), Use(lr=LEAVE_OUT))
    paths = datasets.files([folder])
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    given = [None] * len(paths) if lr is None else _partners(names, lr, scales[0])
    members = [ImageSetMember(*each) for each in zip(names, paths, given, strict=True)]
    for member in members:
        _check(member, scales, metrics)
    return ImageSet(folder.resolve().name, folder, members)


def _partners(names: Sequence[str], folder: Path, scale: int) -> list[Path]:
    found = datasets.find_lr(names, folder, scale)
    for name, path in zip(names, found, strict=True):
        if path is None:
            raise UsageError(
                f"{folder} has no LR for {name}: it must have the name of the HR image, or that and x{scale}"
            )
    return [path for path in found if path is not None]


def _check(member: ImageSetMember, scales: Sequence[int], metrics: Sequence[Metric]) -> None:
    hr = datasets.read_image(member.path) if member.lr is None else member.pair(scales[0]).hr
    for scale in scales:
        shortest = min(hr.shape[:2]) // scale * scale
        for metric in metrics:
            if shortest < metric.required_side(scale):
                raise UsageError(
                    f"{member.path} is too small for {metric.name} at x{scale}: it has {_size(hr)} pixels, and "
                    f"{metric.required_side(scale)} x {metric.required_side(scale)} are needed; leave out the image or "
                    "the metric"
                )


def _size(picture: Pixels8) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
