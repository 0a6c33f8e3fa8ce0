"""Everything that Hyperacuity raises on purpose.

    HyperacuityError
    ├── UsageError (ValueError)          the caller can change the call
    │   ├── UnknownModel                 no such name in the zoo
    │   └── UnsupportedFormat            a file of a kind that we do not read or write
    ├── DamagedFile (ValueError)         the file's bytes are not what they claim to be
    ├── WeightsError                     a model file that cannot be trusted or used
    ├── BadOutput                        a network answered with something that is not its image
    ├── Unreachable (ConnectionError)     a camera, a stream or whoever takes ours does not answer
    ├── MissingDependency (ImportError)  an optional package is not installed
    └── OutOfMemory (MemoryError)        not even the smallest piece of work fits
    HyperacuityWarning (UserWarning)     the work goes on, and this is worth knowing

Each message says what to do about it. Where that is an option to give or to leave out, it is data, a `Use`, which the
command line words as "--engine pytorch" and Python as `engine="pytorch"`. Each class also inherits from one of
Python's own, so that callers who do not know Hyperacuity can still catch it.
"""

# ruff: noqa: N818  (they say what happened; `except OutOfMemory` reads better than OutOfMemoryError)
from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Self


class _LeaveOut:
    """The value of an option that is to be left out."""

    def __repr__(self) -> str:
        return "LEAVE_OUT"

    def __reduce__(self) -> str:
        return "LEAVE_OUT"  # the one object, also in another process


LEAVE_OUT = _LeaveOut()


class Use:
    """A cure as data: which options to give, and which to leave out, by their names in Python.

    The command line writes `Use(engine="pytorch")` as "--engine pytorch", Python as `engine="pytorch"`, and a server as
    it names its fields. Several cures of one error are alternatives.

    Args:
        **options: What to set each option to; `LEAVE_OUT` for one that must go.

    Example:
        >>> str(Use(engine="pytorch"))
        'use engine="pytorch"'
        >>> str(Use(precision=LEAVE_OUT))
        'leave out precision'
    """

    def __init__(self, **options: object) -> None:
        self.options = options

    def __str__(self) -> str:
        return self.describe(lambda name, value: name if value is LEAVE_OUT else f"{name}={_quoted(value)}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Use) and self.options == other.options

    def __hash__(self) -> int:
        return hash(str(self))

    def describe(self, write: Callable[[str, object], str]) -> str:
        """Returns the cure in words, each option as `write(name, value)` has it."""
        given = [write(name, value) for name, value in self.options.items() if value is not LEAVE_OUT]
        omitted = [write(name, value) for name, value in self.options.items() if value is LEAVE_OUT]
        parts = [f"use {' and '.join(given)}"] * bool(given) + [f"leave out {' and '.join(omitted)}"] * bool(omitted)
        return " and ".join(parts)


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


class Curable(Exception):
    """A message with cures as data, which each interface words in its own way. The root of our errors and warnings.

    Args:
        message: What is wrong, without the cure.
        *cures: Alternatives, the best first.
    """

    def __init__(self, message: str = "", *cures: Use) -> None:
        super().__init__(message)
        self.message = message
        self.cures = cures

    def __str__(self) -> str:
        return self.describe(str)

    def describe(self, write: Callable[[Use], str]) -> str:
        """Returns the message with its cures, each as `write` has it."""
        cures = ", or ".join(write(cure) for cure in self.cures)
        return f"{self.message}: {cures}" if cures else self.message


class HyperacuityError(Curable):
    """Any failure that Hyperacuity foresees."""

    def within(self, context: str) -> Self:
        """Returns the same error, cures included, whose message begins with `context`, such as a file's name."""
        return type(self)(f"{context}: {self.message}", *self.cures)


class HyperacuityWarning(Curable, UserWarning):
    """Any warning that Hyperacuity gives."""


class UsageError(HyperacuityError, ValueError):
    """The request cannot be met as it was made; the message says how to make it."""


class UnknownModel(UsageError):
    """No model of that name."""


class UnsupportedFormat(UsageError):
    """A file of a kind that cannot be read or written."""


class DamagedFile(HyperacuityError, ValueError):
    """A file whose content is broken, cut short or not what its name says."""


class WeightsError(HyperacuityError):
    """A model file that is damaged, foreign or does not fit its network."""


class BadOutput(HyperacuityError):
    """A network's answer that failed the check every tile goes through (NaN, Inf, a mean colour far off)."""


class Unreachable(HyperacuityError, ConnectionError):
    """A camera, a stream, or whoever takes ours, that does not answer or has gone."""


class MissingDependency(HyperacuityError, ImportError):
    """An optional package is needed; the message is the line that installs it."""


class OutOfMemory(HyperacuityError, MemoryError):
    """Memory ran out; raised by engines for a tile, and by the pipeline when no smaller tile is left."""


def nearest(word: str, known: Iterable[str]) -> str:
    """What a message ends with that has just named `known`: ". Did you mean 'x'?" for the likeliest, or nothing."""
    names = {name.lower(): name for name in known}
    match = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f". Did you mean {names[match[0]]!r}?" if match else ""
