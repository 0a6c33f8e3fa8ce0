"""What a person sees of a batch: a line for each file, a bar while it lasts, the failures at the end."""

from __future__ import annotations

import contextvars
import json
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TextIO

# Which file a warning belongs to: several are worked on at once.
current: contextvars.ContextVar[str] = contextvars.ContextVar("current", default="")


@dataclass(frozen=True)
class Done:
    """What became of one file; `error` is empty when all went well."""

    source: str
    target: str
    error: str = ""
    skipped: bool = False
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    frames: int = 0
    models: tuple[str, ...] = ()
    seconds: float = 0.0

    def line(self) -> str:
        if self.skipped:
            return f"{self.source}  exists as {self.target}"
        size = f"{self.before[1]}x{self.before[0]} -> {self.after[1]}x{self.after[0]}"
        frames = f"  {self.frames} frames" if self.frames > 1 else ""
        return f"{self.source}  {size}{frames}  {' + '.join(self.models) or 'resize'}  {self.seconds:.1f} s"

    def record(self) -> dict[str, Any]:
        """For `--json`; sizes are (width, height)."""
        return {
            "input": self.source,
            "output": self.target,
            "error": self.error or None,
            "skipped": self.skipped,
            "input_size": self.before[::-1],
            "output_size": self.after[::-1],
            "frames": self.frames,
            "models": self.models,
            "seconds": round(self.seconds, 3),
        }


class Talk:
    """What a person sees: a line for each file, a bar while it lasts, the failures at the end."""

    def __init__(self, stream: TextIO, *, quiet: bool, json: bool) -> None:
        self.stream, self.quiet, self.json = stream, quiet, json
        self._bar: Any = None
        self._task: Any = None
        self._total = 0
        self._done = 0
        self._shares: dict[str, float] = {}
        self._pixels = 0
        self._lock = threading.Lock()

    def progress(self, total: int) -> Any:
        """A context that shows the bar, if a person is looking, and routes warnings here."""
        self._total = total
        stack = ExitStack()
        stack.enter_context(warnings.catch_warnings())
        from hyperacuity.formats import LossWarning
        from hyperacuity.pipeline import PrecisionWarning

        for category in (LossWarning, PrecisionWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = self._warn
        if not self.quiet and sys.stderr.isatty():
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
            self._task = self._bar.add_task("", total=total, rate="")
            self._start = time.perf_counter()
            stack.enter_context(self._bar)
        return stack

    def advance(self, name: str, share: float, pixels: int) -> None:
        """`share` of the file `name` is written, `pixels` more than before."""
        if self._bar is None:
            return
        with self._lock:
            self._pixels += pixels
            self._shares[name] = min(share, 1.0)
            rate = self._pixels / 1e6 / (time.perf_counter() - self._start)
            self._bar.update(
                self._task,
                completed=self._done + sum(self._shares.values()),
                description=name if self._total == 1 else f"{self._done + 1} of {self._total}",
                rate=f"{rate:.1f} MP/s",
            )

    def finished(self, result: Done) -> None:
        with self._lock:
            self._done += 1
            self._shares.pop(result.source, None)
        if result.error:
            self._say(f"{result.source}: {result.error}", sys.stderr)
        elif not self.quiet:
            self._say(result.line(), self.stream)

    def summary(self, done: Sequence[Done]) -> None:
        failed = [result for result in done if result.error]
        if self.json:
            record = {"files": [result.record() for result in done], "failed": len(failed)}
            self._say(json.dumps(record, ensure_ascii=False, indent=2), self.stream)
        elif failed and len(done) > 1:
            self._say(f"{len(failed)} of {len(done)} files failed:", sys.stderr)
            for result in failed:
                self._say(f"  {result.source}: {result.error.splitlines()[0]}", sys.stderr)

    def _warn(self, message: Warning | str, *_: Any, **__: Any) -> None:
        self._say(f"{current.get()}: warning: {message}".removeprefix(": "), sys.stderr)

    def _say(self, line: str, stream: TextIO) -> None:
        if self._bar is not None and stream.isatty():
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=stream, flush=True)  # the command line is what may print
