"""From a recipe to its data: images to learn from, or stored pairs, and what is validated on."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hyperacuity import datasets
from hyperacuity.networks import as_network
from hyperacuity.train import images, start, validation
from hyperacuity.train.agreement import check_same, describe_files
from hyperacuity.train.assembly import Assembly
from hyperacuity.train.degrade import Everyday
from hyperacuity.train.losses import Lpips
from hyperacuity.train.pairs.kinds import KindsValidation, write_quality, write_references
from hyperacuity.train.pairs.making import PairMaker
from hyperacuity.train.pairs.settings import LpipsFiles, PairsTable
from hyperacuity.train.pairs.stored import VALIDATION, StoredPairs, check_sides, read_shard, shard_folders
from hyperacuity.train.patches import Patches
from hyperacuity.train.validation import HeldOut

Samples = dict[str, NDArray[np.uint8]]


class ImagesData:
    """Images to learn from, and images to measure on.

    Args:
        assembly: The networks and their recipe.

    Attributes:
        batches: What is learnt from.
        fingerprint: Identifies the files that are learnt from.

    Raises:
        UsageError: For folders without images, and for images that are too small. None is decoded yet.
    """

    def __init__(self, assembly: Assembly) -> None:
        recipe, fabric = assembly.recipe, assembly.fabric
        scale = assembly.scales[0]
        learnt = images.find_images(recipe.data.train, recipe.data.lr, recipe.data.rescale, scale)
        if recipe.data.validation:
            unseen = images.find_images(recipe.data.validation, recipe.data.validation_lr, (1.0,), scale)
        else:
            unseen = images.set_aside(learnt)
            aside = {image.hr for image in unseen}
            learnt = [image for image in learnt if image.hr not in aside]
        # Test sets are checked too, so that none fails at the end of the run.
        for measured in (unseen, *(images.find_test_set(folder) for folder in recipe.data.reports)):
            validation.check_measurable(measured, assembly.scales)
        self.assembly = assembly
        self.fingerprint = datasets.fingerprint(dict.fromkeys(image.hr for image in learnt))
        self.batches = Patches(
            learnt,
            cuts=[assembly.examples.cut(scale) for scale in assembly.scales],
            channels=as_network(assembly.plain).channels,
            batch=recipe.data.batch,
            seed=recipe.seed,
            hardest_of=recipe.data.hardest_of,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        self._files = [path for image in (*learnt, *unseen) for path in (image.hr, image.lr) if path is not None]
        self._unseen = unseen[fabric.global_rank :: fabric.world_size]
        self._held_out: list[HeldOut] = []

    def load(self) -> Generator[str]:
        """Decode the images; yields what is being done.

        Raises:
            UsageError: If another process has other files.
        """
        check_same(self.assembly.fabric, {"the images": describe_files(self._files)})
        for _ in self.batches.load():
            yield "reading images"
        channels = as_network(self.assembly.plain).channels
        for scale in self.assembly.scales:
            self._held_out += validation.held_out(self._unseen, scale, channels, self.assembly.recipe.degradation)

    def validate(self, step: int) -> tuple[float, Samples]:
        """Measure the averaged weights. Returns mean PSNR on luma in dB, and some results by name."""
        value, results = validation.validate(self.assembly.average.module, self._held_out, self.assembly.fabric)
        samples = {f"{image.name} x{image.scale}": sr for image, sr in zip(self._held_out, results, strict=True)}
        return value, dict(list(samples.items())[:4])


@dataclass
class PairsData:
    """Stored pairs, which are made if they are missing.

    Args:
        assembly: The networks and their recipe.
        settings: The recipe's [pairs].
        folder: That of the run.

    Raises:
        UsageError: In `load`, for images, pairs or a teacher that are missing or do not fit.
    """

    assembly: Assembly
    settings: PairsTable
    folder: Path
    fingerprint: str = ""

    def load(self) -> Generator[str]:
        """Make missing pairs and open all; yields what is being done."""
        recipe, fabric, settings = self.assembly.recipe, self.assembly.fabric, self.settings
        pairs = Path(settings.folder) if settings.folder else self.folder / "pairs"
        shards = shard_folders(pairs, settings.count)
        if not all(path.exists() for path in (pairs / VALIDATION, *shards)):
            for made in self._missing(pairs):
                yield f"making pairs: {made}"
        fabric.barrier()
        stored = sorted(path for folder in (pairs / VALIDATION, *shards) for path in folder.iterdir())
        check_same(fabric, {"the stored pairs": describe_files(stored)})
        scale = self.assembly.scales[0]
        self.batches = StoredPairs(
            pairs,
            settings,
            scale=scale,
            patch=recipe.data.patch,
            batch=recipe.data.batch,
            seed=recipe.seed,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        unseen = read_shard(pairs / VALIDATION, with_teacher=bool(settings.teacher))
        check_sides(pairs / VALIDATION, unseen, scale, recipe.data.patch)
        learnt = recipe.losses.chosen().get("lpips")
        lpips = settings.lpips
        if lpips is None and isinstance(learnt, Lpips):
            lpips = LpipsFiles(squeezenet=learnt.squeezenet, linear=learnt.linear)
        self._kinds = KindsValidation(
            unseen, scale=scale, lpips=lpips, device=fabric.device, has_teacher=bool(settings.teacher)
        )
        self.fingerprint = datasets.fingerprint(path / "pairs.csv" for path in shards)
        if fabric.is_global_zero:
            write_references(self._kinds, self.folder)

    def _missing(self, pairs: Path) -> Generator[int]:
        recipe, fabric = self.assembly.recipe, self.assembly.fabric
        learnt = images.find_images(recipe.data.train, (), recipe.data.rescale, 1)
        unseen = images.find_images(recipe.data.validation, (), recipe.data.rescale, 1)
        teacher = start.open_network(self.settings.teacher) if self.settings.teacher else None
        assert isinstance(recipe.degradation, Everyday)
        maker = PairMaker(self.settings, recipe.degradation.shares, self.assembly.scales[0], teacher, fabric.device)
        yield from maker.make_missing(pairs, learnt, unseen, fabric.global_rank, fabric.world_size)

    def validate(self, step: int) -> tuple[float, Samples]:
        """Measure the averaged weights on every kind, and write kinds.csv and sheet.png. Returns as `ImagesData`."""
        quality, sheet = self._kinds.measure(self.assembly.average.module)
        if self.assembly.fabric.is_global_zero:
            write_quality(self.folder, step, quality, sheet)
        return quality["psnr"], {"kinds": sheet}


def gather_data(assembly: Assembly, folder: Path) -> ImagesData | PairsData:
    """Find the data of a recipe; `load` reads it. folder: that of the run.

    Raises:
        UsageError: For data that is missing or does not fit.
    """
    pairs = assembly.recipe.pairs
    return ImagesData(assembly) if pairs is None else PairsData(assembly, pairs, folder)
