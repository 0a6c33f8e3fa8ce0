"""Everything that Hyperacuity raises on purpose.

    HyperacuityError
    ├── UsageError (ValueError)          the caller can change the call
    │   ├── UnknownModel                 no such name in the zoo
    │   └── UnsupportedFormat            a file of a format that we do not read or write
    ├── DamagedFile (ValueError)         the file is broken or cut short, or its name promises another format
    ├── WeightsError                     a model file that cannot be trusted or used
    ├── BadOutput                        the output of a network is not credible
    ├── Unreachable (ConnectionError)    a camera, a stream, its receiver or a store does not answer
    ├── MissingDependency (ImportError)  an optional package is not installed
    └── OutOfMemory (MemoryError)        not even the smallest piece of work fits
    HyperacuityWarning (UserWarning)     the work continues, but the user should know something

Each message says what to do about it. If that is an option to give or to leave out, it is data: a `Use`, which the
command line words as "add --engine pytorch" and Python as `engine="pytorch"`. If it is another command to run first, it
is a `Run`. Each class also inherits from one of Python's own classes, so that code without knowledge of Hyperacuity can
catch it.
"""

# ruff: noqa: N818  (they are named after the event; `except OutOfMemory` reads better than OutOfMemoryError)
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self


class _Marker:
    """A marker in place of an option's value; there is one object of each name, also after unpickling."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name


LEAVE_OUT = _Marker("LEAVE_OUT")  # the option must not be given
OTHER = _Marker("OTHER")  # the option must have another value, which only the caller can choose
_MARKERS = {repr(marker): marker for marker in (LEAVE_OUT, OTHER)}

# The functions for the commands that `Run` names.
_FUNCTIONS = {
    "fetch": "hyperacuity.fetch.install",
    "import": "hyperacuity.importer.convert",
    "quantise": "hyperacuity.quantise.write",
    "upscale": "hyperacuity.upscale",
}


class Use:
    """A cure as data: which options to give, and which to leave out, by their names in Python.

    The command line writes `Use(engine="pytorch")` as "add --engine pytorch", Python as `engine="pytorch"`, and a
    server as it names its fields. Several cures of one error are alternatives.

    Args:
        **options: The value to give each option; `LEAVE_OUT` for an option that must not be given, `OTHER` for one
            that needs a value other than the present one.

    Example:
        >>> str(Use(engine="pytorch"))
        'use engine="pytorch"'
        >>> str(Use(precision=LEAVE_OUT))
        'leave out precision'
        >>> str(Use(output=OTHER))
        'use another output'
    """

    def __init__(self, **options: object) -> None:
        self.options = options

    def __str__(self) -> str:
        given = [_in_python(name, value) for name, value in self.options.items() if value is not LEAVE_OUT]
        omitted = [name for name, value in self.options.items() if value is LEAVE_OUT]
        parts = [f"use {' and '.join(given)}"] * bool(given) + [f"leave out {' and '.join(omitted)}"] * bool(omitted)
        return " and ".join(parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Use) and self.options == other.options

    def __hash__(self) -> int:
        return hash(str(self))

    def to_json(self) -> dict[str, Any]:
        """Returns the cure as plain data, such as {"use": {"engine": "pytorch"}}."""
        return {"use": {name: repr(v) if isinstance(v, _Marker) else v for name, v in self.options.items()}}


class Run:
    """A cure as data: a command to run first, or instead.

    The command line writes `Run("import", "net.pth")` as "run: hyperacuity import net.pth", and Python as the function
    that does it.

    Args:
        command: The name of the command.
        *subjects: The files to run it on.

    Example:
        >>> str(Run("import", "net.pth"))
        'call hyperacuity.importer.convert on net.pth'
    """

    def __init__(self, command: str, *subjects: object) -> None:
        self.command, self.subjects = command, tuple(str(subject) for subject in subjects)

    def __str__(self) -> str:
        function = _FUNCTIONS.get(self.command, f"hyperacuity's {self.command}")
        return f"call {function} on {' '.join(self.subjects)}" if self.subjects else f"call {function}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and (self.command, self.subjects) == (other.command, other.subjects)

    def __hash__(self) -> int:
        return hash((self.command, self.subjects))

    def to_json(self) -> dict[str, Any]:
        """Returns the cure as plain data, such as {"run": "import", "on": ["net.pth"]}."""
        return {"run": self.command, "on": list(self.subjects)}


Cure = Use | Run


def cure_from_json(content: Mapping[str, Any]) -> Cure:
    """Returns the cure from its `to_json`."""
    if "run" in content:
        return Run(content["run"], *content.get("on", ()))
    return Use(**{name: _MARKERS.get(v, v) if isinstance(v, str) else v for name, v in content["use"].items()})


def _in_python(name: str, value: object) -> str:
    if value is OTHER:
        return f"another {name}"
    return f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"


class Curable(Exception):
    """A message with cures as data, which each interface puts into words. The root of our errors and warnings.

    Args:
        message: The problem, without the cure.
        *cures: Alternatives, the best first.
    """

    def __init__(self, message: str = "", *cures: Cure) -> None:
        message = message.strip()  # messages of other libraries, quoted at the end of ours, may end with a new line
        super().__init__(message)
        self.message = message
        self.cures = cures

    def __str__(self) -> str:
        return self.describe(str)

    def describe(self, write: Callable[[Cure], str]) -> str:
        """Returns the message with its cures, each as `write` words it."""
        return worded(self.message, self.cures, write)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, *self.cures)


def worded(message: str, cures: Sequence[Cure], write: Callable[[Cure], str] = str) -> str:
    """Returns the message followed by its alternative cures, each as `write` words it."""
    return f"{message}: {', or '.join(write(cure) for cure in cures)}" if cures else message


class HyperacuityError(Curable):
    """The root of all errors that Hyperacuity raises deliberately."""

    def within(self, context: str) -> Self:
        """Returns the same error, cures included, with `context`, such as a file's name, before its message."""
        return type(self)(f"{context}: {self.message}", *self.cures)


class HyperacuityWarning(Curable, UserWarning):
    """The root of all warnings that Hyperacuity gives."""


class UsageError(HyperacuityError, ValueError):
    """The request cannot be met; the message says what to change in it."""


class UnknownModel(UsageError):
    """No model has that name."""


class UnsupportedFormat(UsageError):
    """The format of a file cannot be read or written."""


class DamagedFile(HyperacuityError, ValueError):
    """The content of a file is broken, cut short, or not what its name says."""


class WeightsError(HyperacuityError):
    """A model file is damaged, was made by another project, or does not fit its network."""


class BadOutput(HyperacuityError):
    """The output of a network failed the check of every tile (NaN, Inf, a mean colour far from the input's)."""


class Unreachable(HyperacuityError, ConnectionError):
    """A camera, a stream, the receiver of our stream, or a store of files does not answer or has disconnected."""


class MissingDependency(HyperacuityError, ImportError):
    """An optional package is missing; the message is the command that installs it."""


class OutOfMemory(HyperacuityError, MemoryError):
    """Memory ran out: in an engine for one tile, in the pipeline when no smaller tile is possible."""


def describe_os_error(error: OSError) -> str:
    """Returns why the system refused, in its own words, for the end of a message."""
    return (error.strerror or str(error)).lower()


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns ". Did you mean 'x'?" for the known name most similar to `word`, or "": the end of a message.

    Args:
        word: The name that is not known.
        known: The known names, which the message has just listed.

    Example:
        >>> nearest("fsrcn", ["fsrcnn", "vdsr"])
        ". Did you mean 'fsrcnn'?"
    """
    import difflib

    names = {name.lower(): name for name in known}
    match = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f". Did you mean {names[match[0]]!r}?" if match else ""
