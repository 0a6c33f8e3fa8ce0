"""Standard input and output, as pipes and as places for messages."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import IO, Any, cast

from hyperacuity.errors import UsageError

# How Python keeps the bytes of file names that it could not decode (PEP 383).
_UNDECODED = re.compile("[\udc80-\udcff]+")


class OutputError(BrokenPipeError):
    """Standard output cannot be written, because the disk behind it is full or for a similar reason."""


class StandardOutput(io.BufferedIOBase):
    """The bytes of standard output. Raises `OutputError` where they cannot be written."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            return sys.stdout.buffer.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _cannot_be_written(error) from error

    def flush(self) -> None:
        try:
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _cannot_be_written(error) from error


def source_pipe() -> IO[bytes]:
    """Returns standard input if it is a pipe or a file."""
    if sys.stdin is None:
        raise UsageError("standard input is closed: name a file")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: add < photo.jpg, or name a file")
    return sys.stdin.buffer


def target_pipe() -> IO[bytes]:
    """Returns standard output if it is a pipe or a file."""
    if sys.stdout is None:
        raise UsageError("standard output is closed: name a file with -o")
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal, which cannot show images: add > FILE, or name one with -o")
    return cast("IO[bytes]", StandardOutput())


def occupy_closed_streams() -> None:
    """Keep our files from getting the descriptors 0, 1 or 2 of closed standard streams."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - stays open as long as the process


def discard_output() -> None:
    """Keep Python from writing the rest of standard output when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def escape_unprintable(text: str) -> str:
    """Returns text without control characters: file names may contain escape sequences.

    Bytes of a name that the locale could not decode are shown as UTF-8 if they are, as nearly all are.
    """
    text = _UNDECODED.sub(_as_utf8, text)
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def _as_utf8(undecoded: re.Match[str]) -> str:
    try:
        return undecoded[0].encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError:
        return undecoded[0]


def print_line(line: str, stream: Any) -> None:
    """Print a line at once. Raises `OutputError` where the stream cannot take it."""
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the output cannot be written: {error.strerror}") from error


def _cannot_be_written(error: OSError) -> OutputError:
    return OutputError(f"standard output cannot be written: {error.strerror}")
