"""What a training did: log.csv for tables and the report, TensorBoard for those who watch."""

from __future__ import annotations

import csv
import io
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hyperacuity.errors import HyperacuityWarning
from hyperacuity.train.progress import Progress

# Losses are averaged over so many steps for each row.
EVERY = 50
FIXED = ("step", "seconds", "rate", "waiting", "validation")
# TensorBoard's files are written out so often: a kill loses no more of them.
FLUSHED = 10

Row = dict[str, float | None]


class LogWarning(HyperacuityWarning):
    """The log could not be written; the training goes on without it."""


class Log:
    """Use it in a `with`; it goes on with the log of an interrupted training where that is taken up.

    Where nothing can be written, a `LogWarning` says so once, and the next row tries again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.csv"
        self._tensorboard_folder = folder / "tensorboard"
        self._tensorboard: Any = None
        self._shown_from = 0
        self._told: dict[str, list[float]] = {}
        self._columns: list[str] = []
        self._first, self._last = 0, 0  # of the steps since it began, was resumed or rewound
        self._begun, self._warned = False, False
        self._started = time.monotonic()
        self._before: float | None = None  # seconds of the training that is resumed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
        except OSError as failure:
            self._warn(failure)

    def write(self, progress: Progress) -> None:
        """Note a step that has losses; one that is not above the last was rewound to, and takes the place of what came
        after it.
        """
        if progress.step <= self._last or not self._last:
            self._first, self._begun, self._told = progress.step, False, {}
        self._last = progress.step
        for name, value in progress.losses.items():
            self._told.setdefault(name, []).append(value)
        if progress.step % EVERY and progress.validation is None:
            return
        means = {name: sum(values) / len(values) for name, values in self._told.items()}
        self._told = {}
        try:
            self._row(progress, means)
            self._warned = False
        except OSError as error:
            # The next row puts in order what this one may have left half-written.
            self._first = progress.step + 1 if self._begun else self._first
            self._begun = False
            self._warn(error)

    def _row(self, progress: Progress, means: Mapping[str, float]) -> None:
        if not self._begun:
            self._begin(means)
        elif not means.keys() <= set(self._columns):
            self._rewrite(read(self.path), means)
        row: Row = {
            "step": progress.step,
            "seconds": round((self._before or 0.0) + time.monotonic() - self._started, 1),
            "rate": progress.rate,
            "waiting": round(progress.waiting, 5),
            "validation": progress.validation,
            **means,
        }
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, lineterminator="\n").writerow(row)
        self._show(progress, means)

    def _begin(self, names: Mapping[str, float]) -> None:
        """Drop what is known of the first step and of later ones."""
        kept = [row for row in read(self.path) if (row["step"] or 0) < self._first]
        if self._before is None:
            self._before = (kept[-1].get("seconds") or 0.0) if kept else 0.0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite(kept, names)
        self._begun = True

    def _show(self, progress: Progress, means: Mapping[str, float]) -> None:
        if self._tensorboard is None or self._shown_from != self._first:
            self._close()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what TensorBoard and its own needs say of each other
                from torch.utils.tensorboard import SummaryWriter

                folder = str(self._tensorboard_folder)
                self._tensorboard = SummaryWriter(folder, purge_step=self._first, flush_secs=FLUSHED)
            self._shown_from = self._first
        for name, value in {"rate": progress.rate, "validation PSNR": progress.validation}.items():
            if value is not None:
                self._tensorboard.add_scalar(name, value, progress.step)
        for name, value in means.items():
            self._tensorboard.add_scalar(f"loss/{name}", value, progress.step)
        for name, picture in progress.samples.items():
            self._tensorboard.add_image(name, picture, progress.step, dataformats="HWC")

    def _rewrite(self, rows: Sequence[Row], names: Mapping[str, float]) -> None:
        """The same rows, with a column for each of these losses too."""
        self._columns = list(dict.fromkeys([*FIXED, *(rows[0] if rows else ()), *names]))
        fresh = self.path.with_suffix(".new")
        try:
            with fresh.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self._columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows({**row, "step": int(row["step"] or 0)} for row in rows)
            os.replace(fresh, self.path)
        finally:
            fresh.unlink(missing_ok=True)

    def _close(self) -> None:
        writer, self._tensorboard = self._tensorboard, None
        if writer is not None:
            writer.close()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            said = f"{self.path} cannot be written ({error}): free some space, or allow to write there"
            warnings.warn(f"{said}; the training goes on", LogWarning, stacklevel=3)
        self._warned = True


def read(path: Path) -> list[Row]:
    """The rows of a log.csv, empty cells as None; a last line that was cut short by a kill is left out, as is whatever
    else is no row.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    rows: list[Row] = []
    for row in csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])):
        try:
            rows.append({name: None if value == "" else float(value) for name, value in row.items()})
        except (TypeError, ValueError):  # too few cells, too many, or no numbers
            continue
    return [row for row in rows if row.get("step") is not None]
