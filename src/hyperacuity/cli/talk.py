"""What a person sees of a batch: a line for each file, a bar while it lasts, the failures at the end."""

from __future__ import annotations

import contextvars
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

# Which file a warning belongs to: several are worked on at once.
current: contextvars.ContextVar[str] = contextvars.ContextVar("current", default="")


class OutputError(Exception):
    """Standard output cannot take what we say, for the disk behind it is full or the like."""


def _printable(text: str) -> str:
    """File names may hold anything, even what a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def _utf8(name: str) -> str:
    """A file's name as the bytes it has, whatever the locale took them for."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


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
    note: str = ""

    @property
    def complaint(self) -> str:
        """The error, which names the file: many do so themselves."""
        source = "standard input" if self.source == "-" else self.source
        return self.error if self.error.startswith(source) else f"{source}: {self.error}"

    def line(self) -> str:
        if self.skipped:
            return f"{self.source}  exists as {self.target}"
        size = f"{self.before[1]}x{self.before[0]} -> {self.after[1]}x{self.after[0]}"
        frames = f"  {self.frames} frames" if self.frames > 1 else ""
        frames += f" ({self.note})" if self.note else ""
        how = " + ".join(self.models) or "same size"
        target = "" if self.target == "-" else f"  {self.target}"
        return f"{self.source}  {size}{frames}  {how}  {self.seconds:.1f} s{target}"

    def record(self) -> dict[str, Any]:
        """For `--json`; sizes are (width, height)."""
        return {
            "input": _utf8(self.source),
            "output": _utf8(self.target),
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

    def __init__(self, stream: TextIO | None, *, quiet: bool, json: bool) -> None:
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

    def started(self, name: str) -> None:
        """Work on the file `name` begins."""
        self.advance(name, 0, 0)

    def resumed(self, name: str, share: float) -> None:
        """`share` of the file `name` had been computed by an earlier run, which does not count for the time left."""
        if self._bar is None:
            return
        with self._lock:
            self._shares[name] = min(share, 1.0)
            self._bar.reset(self._task, completed=self._done + sum(self._shares.values()))

    def advance(self, name: str, share: float, pixels: int, rate: str = "") -> None:
        """`share` of the file `name` is computed, `pixels` more than before; rate: how fast, instead of by pixels."""
        if self._bar is None:
            return
        with self._lock:
            self._pixels += pixels
            self._shares[name] = min(share, 1.0)
            if not rate and self._pixels:
                rate = f"{self._pixels / 1e6 / (time.perf_counter() - self._start):.1f} MP/s"
            self._bar.update(
                self._task,
                completed=self._done + sum(self._shares.values()),
                description=self._doing(name, share),
                rate=rate,
            )

    def _doing(self, name: str, share: float) -> str:
        if self._total > 1:
            return f"{self._done + 1} of {self._total}"
        from rich.markup import escape

        # Compressing a large picture may take as long as computing it.
        return ("writing " if share >= 1 else "") + escape(_printable(Path(name).name))

    def finished(self, result: Done) -> None:
        with self._lock:
            self._done += 1
            self._shares.pop(result.source, None)
        if result.error:
            self._say(result.complaint, sys.stderr)
        elif not self.quiet:
            self._say(result.line(), self.stream)

    def summary(self, done: Sequence[Done]) -> None:
        failed = [result for result in done if result.error]
        if self.json:
            record = {"files": [result.record() for result in done], "failed": len(failed)}
            # ASCII, whatever encoding the terminal has, so that it stays JSON.
            self._say(json.dumps(record, indent=2), self.stream)
        elif failed and len(done) > 1:
            # Quietly, the failures are all that has been said.
            self._say(f"{len(failed)} of {len(done)} files failed" + ("" if self.quiet else ":"), sys.stderr)
            for result in failed if not self.quiet else ():
                self._say(f"  {result.complaint.splitlines()[0]}", sys.stderr)

    def stopping(self) -> None:
        """Somebody has stopped the work."""
        self._say("stopping; press Ctrl-C again to stop at once", sys.stderr)

    def _warn(self, message: Warning | str, *_: Any, **__: Any) -> None:
        name = "standard input" if current.get() == "-" else current.get()
        # Warnings name the file that is written, which may be called as the one that is read.
        text = str(message).removeprefix(f"{Path(name).name}: ")
        self._say(f"{name}: warning: {text}".removeprefix(": "), sys.stderr)

    def _say(self, line: str, stream: TextIO | None) -> None:
        if stream is None:  # closed by whoever started us
            return
        line = _printable(line)
        if self._bar is not None and stream.isatty():
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        try:
            print(line, file=stream, flush=True)  # the command line is what may print
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"the output cannot be written: {error.strerror}") from error
