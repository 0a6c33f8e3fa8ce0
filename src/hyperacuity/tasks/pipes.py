"""Streams that replace the source or the target of a task if its path is "-"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hyperacuity.errors import UsageError

PIPE = "-"


@dataclass(frozen=True)
class Pipes:
    """The streams that a client provides; None for a missing one.

    Attributes:
        source: A buffered stream to read, which has `peek`.
        target: A stream to write. A `BrokenPipeError` that it raises ends the work without an outcome.
    """

    source: IO[bytes] | None = None
    target: IO[bytes] | None = None

    def open_source(self, path: str) -> Path | IO[bytes]:
        """Returns the path, or the stream where the path is "-"."""
        return _either(path, self.source)

    def open_target(self, path: str) -> Path | IO[bytes]:
        """Returns the path, or the stream where the path is "-"."""
        return _either(path, self.target)


def peek(stream: Any, count: int) -> bytes:
    """Returns the first bytes of a buffered stream, at most `count`, and leaves them in it."""
    start: bytes = stream.peek(count)[:count]
    return start


def _either(path: str, stream: IO[bytes] | None) -> Path | IO[bytes]:
    if path != PIPE:
        return Path(path)
    if stream is None:
        raise UsageError("a task reads or writes a pipe, but none is connected; give a file")
    return stream
