"""Results that exist already: of a folder of images, found by name and checked before work begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hyperacuity import datasets
from hyperacuity.datasets import LeftOut, Pair, Pixels8
from hyperacuity.errors import UsageError
from hyperacuity.evaluate.sets import ImageSet
from hyperacuity.storage import real_path


class FinishedResults(Protocol):
    """Existing results of a set, which are measured as those of a model are."""

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """The results that cannot be read."""
        ...

    def result_for(self, name: str, pair: Pair) -> NDArray[np.uint8] | None:
        """Returns the result for an image of the set, of the size of `pair.hr`, or None if it is left out.

        Args:
            name: Of the image in the set; images are asked for in the order of the set.
            pair: The image at both resolutions.
        """
        ...


class FinishedImages:
    """A folder of finished results, compared with a set image by image.

    Args:
        path: The folder. Its files are named as `datasets.pair_results` says.
        truth: The set; its images are the ground truth.
        scale: The scale of the results.

    Raises:
        UsageError: If an image of the set has no result, no result can be read, or one has another size or other
            channels than its HR image.
    """

    def __init__(self, path: Path, truth: ImageSet, scale: int) -> None:
        if real_path(path) == real_path(truth.path):
            raise UsageError(f"{path} holds the HR images themselves: give the folder of the finished results")
        members = {member.name: member.path for member in truth.members}
        found = datasets.pair_results(list(members.values()), truth.path, path, scale)
        self.left_out: list[LeftOut] = []
        self._paths: dict[str, Path] = {}
        for name, hr_path in members.items():
            result = found[hr_path]
            try:
                _check_size(datasets.read_image(result), datasets.read_image(hr_path), scale, result, hr_path)
            except datasets.UNREADABLE as error:
                self.left_out.append(LeftOut(result, error))
            else:
                self._paths[name] = result
        datasets.check_any_left(self._paths, self.left_out, path)

    @property
    def files(self) -> Mapping[str, Path]:
        """The results by the names of their images."""
        return self._paths

    def result_for(self, name: str, pair: Pair) -> Pixels8 | None:
        """Returns the result for an image; see `FinishedResults.result_for`."""
        path = self._paths.get(name)
        if path is None:
            return None
        result = datasets.read_image(path)
        if pair.hr.shape[2] == 1 and result.shape[2] == 3 and (result == result[..., :1]).all():
            result = result[..., :1]  # a grey image that was stored as RGB
        if result.shape[2] != pair.hr.shape[2]:
            raise UsageError(f"one of {path} and the HR image {name} is grey and the other is not: convert one of them")
        return result[: pair.hr.shape[0], : pair.hr.shape[1]]


def _check_size(result: Pixels8, hr: Pixels8, scale: int, path: Path, hr_path: Path) -> None:
    """Check that a result is as large as its HR image, or as HR cut to whole LR pixels."""
    whole = hr.shape[:2]
    cut = tuple(side - side % scale for side in whole)
    if result.shape[:2] not in (whole, cut):
        needed = f"{whole[1]} x {whole[0]}" + (f" or {cut[1]} x {cut[0]}" if cut != whole else "")
        raise UsageError(
            f"{path} has {result.shape[1]} x {result.shape[0]} pixels, but the result for {hr_path} at x{scale} needs "
            f"{needed}"
        )
