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

Each message says what to do about it. Each class also inherits Python's own, so that callers who do not
know us can still catch it.
"""

# ruff: noqa: N818  (they say what happened; `except OutOfMemory` reads better than OutOfMemoryError)
from __future__ import annotations

import difflib
from collections.abc import Iterable


class HyperacuityError(Exception):
    """Any failure that Hyperacuity foresees."""


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
