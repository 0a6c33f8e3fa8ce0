"""Displays a batch: a line for each file, a bar while it runs, what is left out at the end."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from hyperacuity.cli.explaining import explanation
from hyperacuity.cli.streams import escape_unprintable, print_line
from hyperacuity.cli.wording import describe, describe_cure
from hyperacuity.errors import Use
from hyperacuity.task import Message, Outcome, Progress, Task
from hyperacuity.tasks import PIPE, Observer, Unplanned

# How many files the summary names for each reason.
_NAMED = 3


class Display(Observer):
    """Prints outcomes, and draws a bar on a terminal.

    Args:
        stream: Where lines of finished files and the summary go; None if it is closed.
        total: The number of tasks.
        quiet: Whether to print errors only.
        json: Whether to print a summary for programs at the end.
        explain: Whether to print what was measured of each file.
    """

    def __init__(self, stream: TextIO | None, total: int, *, quiet: bool, json: bool, explain: bool = False) -> None:
        self._explain = explain
        self._stream, self._total, self._quiet, self._json = stream, total, quiet or json, json
        self._bar: Any = None
        self._row: Any = None
        self._finished = 0
        self._shares: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._pixels = 0
        self._lock = threading.Lock()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the bar while the work inside runs."""
        if self._quiet or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._row = self._bar.add_task("", total=self._total, rate="")
        self._start = time.perf_counter()
        with self._bar:
            yield

    def started(self, task: Task) -> None:
        """Show the name of the file."""
        self._begun[task.source] = time.perf_counter()
        self._advance(task.source, Progress(0.0), "")

    def progress(self, task: Task, progress: Progress) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        if progress.done == progress.resumed and progress.done:
            # The share computed by an earlier run must not affect the estimate of the remaining time.
            with self._lock:
                self._shares[task.source] = min(progress.done, 1.0)
                self._bar.reset(self._row, completed=self._finished + sum(self._shares.values()))
            return
        self._advance(task.source, progress, self._rate(task, progress))

    def warned(self, task: Task, warning: Message) -> None:
        """Print the warning."""
        self._print(f"{_shown_source(task.source)}: warning: {describe(warning)}", sys.stderr)

    def finished(self, outcome: Outcome) -> None:
        """Print the outcome of the file."""
        with self._lock:
            self._finished += 1
            self._shares.pop(outcome.source, None)
        if outcome.error:
            self._print(complaint(outcome), sys.stderr)
        elif not self._quiet:
            self._print(line(outcome), self._stream)
            for sentence in explanation(outcome.choice, full=self._explain):
                self._print(f"  {sentence}", self._stream)

    def stopping(self) -> None:
        """Print how to stop at once."""
        self._print("stopping; press Ctrl-C again to stop at once", sys.stderr)

    def summarise(self, outcomes: Sequence[Outcome], unplanned: Unplanned) -> None:
        """Print how many files of a batch are done and what is left out, or the summary for programs."""
        failed = [outcome for outcome in outcomes if outcome.error]
        if self._json:
            content = {
                "files": [record(outcome) for outcome in outcomes],
                "done": len(outcomes) - len(failed),
                "failed": len(failed),
                "left_out": [{"input": _to_utf8(one.source), "reason": reason(one)} for one in failed],
                "passed_over": [_to_utf8(str(path)) for path in unplanned.unexpected],
                "not_searched": [_to_utf8(str(path)) for path in unplanned.unsearched],
            }
            # ASCII, so that it is valid JSON in any encoding of the terminal.
            self._print(json.dumps(content, indent=2), self._stream)
            return
        if not self._quiet and unplanned.unexpected:
            names = _shortened([path.name for path in unplanned.unexpected])
            self._print(f"passed over: {names} (neither images nor videos)", sys.stderr)
        if not self._quiet and unplanned.unsearched:
            cure = describe_cure(Use(recursive=True))
            self._print(f"not searched: {_shortened(list(map(str, unplanned.unsearched)))} ({cure})", sys.stderr)
        if failed and self._total > 1:
            # If quiet, the failures are the only lines that were printed.
            self._print(summary(outcomes, named=not self._quiet), sys.stderr)

    def _rate(self, task: Task, progress: Progress) -> str:
        """Megapixels a second of the batch where pixels are counted, else frames a second of this video."""
        self._pixels += progress.pixels
        now = time.perf_counter()
        if self._pixels:
            return f"{self._pixels / 1e6 / (now - self._start):.1f} MP/s"
        frames = (progress.done - progress.resumed) * progress.frames
        return f"{frames / (now - self._begun[task.source]):.1f} fps"

    def _advance(self, source: str, progress: Progress, rate: str) -> None:
        if self._bar is None:
            return
        with self._lock:
            self._shares[source] = min(progress.done, 1.0)
            self._bar.update(
                self._row,
                completed=self._finished + sum(self._shares.values()),
                description=self._description(source, progress.done),
                rate=rate,
            )

    def _description(self, source: str, share: float) -> str:
        if self._total > 1:
            return f"{self._finished + 1} of {self._total}"
        from rich.markup import escape

        # Compressing a large image may take as long as computing it.
        return ("writing " if share >= 1 else "") + escape(escape_unprintable(Path(source).name))

    def _print(self, text: str, stream: TextIO | None) -> None:
        if stream is None:  # closed by the parent process
            return
        text = escape_unprintable(text)
        if self._bar is not None and stream.isatty():
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print_line(text, stream)


def line(outcome: Outcome) -> str:
    """Returns the line for a file that did not fail."""
    source, target = _one_line(outcome.source), _one_line(outcome.target)
    if outcome.skipped:
        return f"{source}  exists as {target}"
    size = f"{outcome.before[1]}x{outcome.before[0]} -> {outcome.after[1]}x{outcome.after[0]}"
    frames = f"  {outcome.frames} frames" if outcome.frames > 1 else ""
    note = _note(outcome)
    frames += f" ({note})" if note else ""
    models = " + ".join(outcome.models) or "same size"
    models += f" ({outcome.choice.reason})" if outcome.choice else ""
    models += f"  LR-PSNR {outcome.lr_psnr:.1f} dB" if outcome.lr_psnr is not None else ""
    target = "" if outcome.target == PIPE else f"  {target}"
    target += f" (mean of {len(outcome.samples) - 1} samples)" if outcome.samples else ""
    return f"{source}  {size}{frames}  {models}  {outcome.seconds:.1f} s{target}"


def complaint(outcome: Outcome) -> str:
    """Returns the error of a file, beginning with the file's name, which many errors already contain."""
    error = describe(outcome.error) if outcome.error else ""
    source = _shown_source(outcome.source)
    return error if error.startswith(source) else f"{source}: {error}"


def reason(outcome: Outcome) -> str:
    """Returns the first line of a file's error without the file's name, by which files are grouped."""
    text = describe(outcome.error).splitlines()[0] if outcome.error else ""
    text = (
        text.removeprefix(outcome.source)
        .removeprefix(Path(outcome.source).name)
        .lstrip(f": {os.sep}")
        .removeprefix("is ")
    )
    return text.partition("; what is read: ")[0]  # the line of the file itself lists the formats


def summary(outcomes: Sequence[Outcome], *, named: bool = True) -> str:
    """Returns one line: how many files are done, how many are left out, and if `named` which ones and why."""
    left_out: dict[str, list[str]] = {}
    for outcome in sorted(outcomes, key=lambda one: one.source):
        if outcome.error:
            left_out.setdefault(reason(outcome), []).append(Path(outcome.source).name or outcome.source)
    count = sum(map(len, left_out.values()))
    parts = [f"{_shortened([*map(_one_line, names)])} ({text})" for text, names in left_out.items()]
    return f"{len(outcomes) - count} done, {count} left out" + (f": {'; '.join(parts)}" if named else "")


def _shortened(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def record(outcome: Outcome) -> dict[str, Any]:
    """Returns the entry of a file for `--json`; sizes are (width, height)."""
    return {
        "input": _to_utf8(outcome.source),
        "output": _to_utf8(outcome.target),
        "error": describe(outcome.error) if outcome.error else None,
        "skipped": outcome.skipped,
        "input_size": outcome.before[::-1],
        "output_size": outcome.after[::-1],
        "frames": outcome.frames,
        "models": outcome.models,
        "choice": outcome.choice.to_json() if outcome.choice else None,
        **({"consistency": outcome.consistency} if outcome.consistency else {}),
        "lr_psnr": outcome.lr_psnr,
        "expected_errors": outcome.expected_errors,
        **({"samples": [_to_utf8(path) for path in outcome.samples]} if outcome.samples else {}),
        "seconds": round(outcome.seconds, 3),
    }


def _note(outcome: Outcome) -> str:
    """Speed and savings of a video; the consistency of a measurement."""
    if outcome.consistency:
        return outcome.consistency
    if outcome.kind != "video":
        return ""
    parts = []
    computed = outcome.frames - outcome.resumed
    if computed > 1:
        parts.append(f"{computed / outcome.seconds:.1f} a second")
    if outcome.resumed:
        parts.append(f"{outcome.resumed} of them from an earlier run")
    if outcome.unchanged >= 0.005:
        parts.append(f"{outcome.unchanged:.0%} did not change")
    return ", ".join(parts)


def _one_line(name: str) -> str:
    return name.replace("\n", "\\n").replace("\r", "\\r")


def _shown_source(source: str) -> str:
    return "standard input" if source == PIPE else source


def _to_utf8(name: str) -> str:
    """A name with the bytes that it has in the file system, independent of the locale."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")
