"""The images that a run learns from and validates on: their files, and the size at which each is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperacuity import datasets
from hyperacuity.datasets import LeftOut
from hyperacuity.errors import UsageError

# At most this many images are set aside for validation: as many as Kodak24 has.
SET_ASIDE = 24


@dataclass(frozen=True)
class TrainingImage:
    """An image of a data set.

    Attributes:
        hr: Its file.
        lr: The file of its LR, or None if LR is made by a degradation.
        rescale: The factor by which HR is resized before use.
    """

    hr: Path
    lr: Path | None
    rescale: float


def find_images(
    folders: Iterable[Path], lr_folders: Iterable[Path], rescale: Iterable[float], scale: int
) -> list[TrainingImage]:
    """Find all images below folders, each at every size of `rescale`.

    Args:
        folders: Searched recursively.
        lr_folders: For each folder that of its LR images, see `datasets.pair_files`; empty if there are none.
        rescale: Factors.
        scale: The scale of the LR images.

    Raises:
        UsageError: For a folder without images that can be read, for an image without its LR, and for an LR image of
            the wrong size.

    Warns:
        LeftOutWarning: If headers of images, or of their LR images, cannot be read; these are left out.
    """
    found: list[TrainingImage] = []
    left_out: list[LeftOut] = []
    lr_of = list(lr_folders)
    factors = list(rescale)
    for n, folder in enumerate(folders):
        paths = datasets.list_images(folder)
        lr: Mapping[Path, Path] = datasets.pair_files(paths, folder, lr_of[n], scale) if lr_of else {}
        readable, unreadable = datasets.split_readable(lr or paths)
        for path in [path for path in readable if path in lr]:
            error = datasets.find_error(lr[path])
            if error is not None:
                readable.remove(path)
                unreadable.append(LeftOut(lr[path], error))
            elif 1.0 in factors:
                datasets.check_headers(path, lr[path], scale)
        datasets.check_any_left(readable, unreadable, folder)
        left_out += unreadable
        found += [TrainingImage(path, lr.get(path), factor) for path in readable for factor in factors]
    datasets.warn_left_out(left_out)
    return found


def set_aside(images: Sequence[TrainingImage]) -> list[TrainingImage]:
    """Choose images for validation among those to learn from, for recipes that name no folder for it.

    Returns:
        A tenth of the images, 24 at most, evenly spread, at their own size.

    Raises:
        UsageError: If there is only one image.
    """
    single = list({image.hr: TrainingImage(image.hr, image.lr, 1.0) for image in images}.values())
    if len(single) < 2:
        raise UsageError(
            f"{single[0].hr} is the only image, so that none is left for validation: add images, or data.validation"
        )
    count = min(SET_ASIDE, max(1, len(single) // 10))
    return [single[n * len(single) // count] for n in range(count)]


def find_test_set(folder: Path) -> list[TrainingImage]:
    """Find the images of a test set."""
    return find_images([folder], (), (1.0,), 1)
