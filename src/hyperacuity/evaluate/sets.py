"""A folder of images as a test set: found, paired and checked before work begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import datasets
from hyperacuity.datasets import LeftOut, Pair, Pixels8
from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.metrics import Metric


@dataclass(frozen=True)
class ImageSetMember:
    """One image of a set.

    Attributes:
        name: Its path in the set, without the ending unless another image has the same name.
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
    """A folder of images; the set has the name of the folder.

    Attributes:
        name: The name of the folder.
        path: The folder.
        members: The images.
        left_out: The files that cannot be read.
    """

    name: str
    path: Path
    members: Sequence[ImageSetMember]
    left_out: Sequence[LeftOut] = ()

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

    Images that cannot be read, and those whose LR cannot be, are `left_out` of the set.

    Args:
        folder: HR images.
        scales: The scales at which the set will be measured.
        metrics: The metrics that will be measured.
        lr: A folder of LR images, for a single scale; see `datasets.pair_files` for their names.

    Raises:
        UsageError: If there are no images that can be read, an LR image is missing or has another size, or an image is
            too small.
    """
    for metric in metrics:
        if metric.needs_video:
            raise UsageError(f"{metric.name} is measured between the frames of a video, but {folder} is a folder")
    for below in (folder, lr):
        if below is not None and not below.is_dir():
            raise UsageError(f"there is no folder {below}")
    if lr is not None and len(scales) != 1:
        raise UsageError("LR images have one scale, but several are given", Use(scale="N"), Use(lr=LEAVE_OUT))
    paths: Sequence[Path] = datasets.list_images(folder)
    given: Mapping[Path, Path] = {} if lr is None else datasets.pair_files(paths, folder, lr, scales[0])
    members, left_out = [], []
    stems = Counter(path.with_suffix("") for path in paths)
    for path in given or paths:
        named = path.with_suffix("") if stems[path.with_suffix("")] == 1 else path
        member = ImageSetMember(named.relative_to(folder).as_posix(), path, given.get(path))
        try:
            _check(member, scales, metrics)
        except datasets.UNREADABLE as error:
            left_out.append(LeftOut(path, error))
        else:
            members.append(member)
    datasets.check_any_left(members, left_out, folder)
    return ImageSet(folder.resolve().name, folder, members, left_out)


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


def _size(image: Pixels8) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
