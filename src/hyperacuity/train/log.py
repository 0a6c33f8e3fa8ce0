"""The log of a run: log.csv for tables and the report, TensorBoard for watching."""

from __future__ import annotations

import csv
import io
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hyperacuity import storage
from hyperacuity.errors import HyperacuityWarning
from hyperacuity.train.progress import TrainingProgress

# Steps that the losses of a row are averaged over.
EVERY = 50
FIXED = ("step", "seconds", "rate", "waiting", "validation")
# Seconds between flushes of TensorBoard's files: a killed run loses no more of them.
FLUSHED = 10

Row = dict[str, float | None]


class LogWarning(HyperacuityWarning):
    """The log could not be written; the run continues without it."""


class Log:
    """A log to be used in a `with` statement; it continues the log of a run that is resumed.

    If it cannot be written, there is one `LogWarning`, and the next row tries again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.csv"
        self._tensorboard_folder = folder / "tensorboard"
        self._tensorboard: Any = None
        self._shown_from = 0
        self._losses: dict[str, list[float]] = {}
        self._columns: list[str] = []
        self._first, self._last = 0, 0  # steps since the run started, was resumed or rewound
        self._begun, self._warned = False, False
        self._started = time.monotonic()
        self._before: float | None = None  # seconds of the run that is resumed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
        except OSError as failure:
            self._warn(failure)

    def write(self, progress: TrainingProgress) -> None:
        """Record a step that has losses. A step that is not above the last was rewound to, and replaces later rows."""
        if progress.step <= self._last or not self._last:
            self._first, self._begun, self._losses = progress.step, False, {}
        self._last = progress.step
        for name, value in progress.losses.items():
            self._losses.setdefault(name, []).append(value)
        if progress.step % EVERY and progress.validation is None:
            return
        means = {name: sum(values) / len(values) for name, values in self._losses.items()}
        self._losses = {}
        try:
            self._row(progress, means)
            self._warned = False
        except OSError as error:
            # The next row rewrites the file, in which this one may be half-written.
            self._first = progress.step + 1 if self._begun else self._first
            self._begun = False
            self._warn(error)

    def _row(self, progress: TrainingProgress, means: Mapping[str, float]) -> None:
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
        """Remove the rows of the first step and of later ones."""
        kept = [row for row in read(self.path) if (row["step"] or 0) < self._first]
        if self._before is None:
            self._before = (kept[-1].get("seconds") or 0.0) if kept else 0.0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite(kept, names)
        self._begun = True

    def _show(self, progress: TrainingProgress, means: Mapping[str, float]) -> None:
        if self._tensorboard is None or self._shown_from != self._first:
            self._close()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings of TensorBoard about its own dependencies
                from torch.utils.tensorboard import SummaryWriter

                folder = str(self._tensorboard_folder)
                self._tensorboard = SummaryWriter(folder, purge_step=self._first, flush_secs=FLUSHED)
            self._shown_from = self._first
        for name, value in {"rate": progress.rate, "validation PSNR": progress.validation}.items():
            if value is not None:
                self._tensorboard.add_scalar(name, value, progress.step)
        for name, value in means.items():
            self._tensorboard.add_scalar(f"loss/{name}", value, progress.step)
        for name, image in progress.samples.items():
            self._tensorboard.add_image(name, image, progress.step, dataformats="HWC")

    def _rewrite(self, rows: Sequence[Row], names: Mapping[str, float]) -> None:
        """Write the rows again, with a column for each of these losses too."""
        self._columns = list(dict.fromkeys([*FIXED, *(rows[0] if rows else ()), *names]))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "step": int(row["step"] or 0)} for row in rows)
        storage.write_whole(self.path, text.getvalue().encode())

    def _close(self) -> None:
        writer, self._tensorboard = self._tensorboard, None
        if writer is not None:
            writer.close()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            message = (
                f"{self.path} cannot be written ({error}): free some space, or allow writing there; the run continues"
            )
            warnings.warn(message, LogWarning, stacklevel=3)
        self._warned = True


def read(path: Path) -> list[Row]:
    """Read the rows of a log.csv, with None for empty cells; lines that are incomplete or damaged are skipped."""
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
