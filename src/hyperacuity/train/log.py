"""What a training did: log.csv for tables and the report, TensorBoard for those who watch."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hyperacuity.train.progress import Progress

# Losses are averaged over so many steps for each row.
EVERY = 50
FIXED = ("step", "rate", "waiting", "validation")


class LogWarning(UserWarning):
    """The log could not be written; the training goes on without it."""


class Log:
    """Use it in a `with`; it goes on with the log of an interrupted training where that is taken up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.csv"
        self._tensorboard_folder = folder / "tensorboard"
        self._tensorboard: Any = None
        self._sums: dict[str, float] = {}
        self._count, self._last = 0, 0
        self._written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()

    def write(self, progress: Progress) -> None:
        """Note a step that has losses; one that is not above the last was rewound to, and takes the place of what came
        after it.
        """
        try:
            if progress.step <= self._last or not self._written:
                self._begin(progress)
            self._last = progress.step
            for name, value in progress.losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            self._count += 1
            if progress.step % EVERY == 0 or progress.validation is not None:
                self._row(progress)
        except OSError as error:
            warnings.warn(f"{self.path} cannot be written ({error}): free some space", LogWarning, stacklevel=2)

    def _begin(self, progress: Progress) -> None:
        """Drop what is known of this step and of later ones."""
        kept = [row for row in read(self.path) if (row["step"] or 0) < progress.step]
        self._sums, self._count, self._written = {}, 0, True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*FIXED, *progress.losses])
            for row in kept:
                writer.writerow(["" if row.get(name) is None else row[name] for name in [*FIXED, *progress.losses]])
        os.replace(fresh, self.path)
        if self._tensorboard is not None:
            self._tensorboard.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what TensorBoard and its own needs say of each other
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(self._tensorboard_folder), purge_step=progress.step)

    def _row(self, progress: Progress) -> None:
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        fixed = (progress.step, progress.rate, round(progress.waiting, 5), progress.validation)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            row = ["" if value is None else value for value in fixed]
            csv.writer(file, lineterminator="\n").writerow([*row, *means.values()])
        scalars: Mapping[str, float] = {
            "rate": progress.rate,
            **{f"loss/{name}": value for name, value in means.items()},
        }
        if progress.validation is not None:
            scalars = {**scalars, "validation PSNR": progress.validation}
        for name, value in scalars.items():
            self._tensorboard.add_scalar(name, value, progress.step)
        for name, picture in progress.samples.items():
            self._tensorboard.add_image(name, picture, progress.step, dataformats="HWC")


def read(path: Path) -> list[dict[str, float | None]]:
    """The rows of a log.csv, empty cells as None; a last line that was cut short by a kill is left out."""
    if not path.exists():
        return []
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                rows.append({name: float(value) if value else None for name, value in row.items()})
            except (TypeError, ValueError):
                continue
    return [row for row in rows if row.get("step") is not None]
