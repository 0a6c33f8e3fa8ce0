"""Folders of stored pairs, made of random pixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hyperacuity.train.pairs.stored import VALIDATION, shard_folders


def store(folder: Path, kinds: list[str], *, scale: int = 2, side: int = 12) -> None:
    """Write a shard and validation pairs of these kinds; teacher and truth differ."""
    for number, path in enumerate([*shard_folders(folder, 1), folder / VALIDATION]):
        path.mkdir(parents=True)
        rng = np.random.default_rng(number)
        large = (len(kinds), side * scale, side * scale, 3)
        np.save(path / "lr.npy", rng.integers(0, 256, (len(kinds), side, side, 3), np.uint8))
        np.save(path / "teacher.npy", rng.integers(0, 100, large, np.uint8))
        np.save(path / "truth.npy", rng.integers(156, 256, large, np.uint8))
        with (path / "pairs.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["n", "kind"])
            writer.writeheader()
            writer.writerows({"n": n, "kind": kind} for n, kind in enumerate(kinds))
