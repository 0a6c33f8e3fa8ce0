"""Words cures as options of the command line."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hyperacuity.cli.streams import print_line
from hyperacuity.errors import LEAVE_OUT, OTHER, Cure, HyperacuityWarning, Run, worded
from hyperacuity.task import Message

# Options whose name differs from that in Python; if there are several names, the best known one.
NAMES = {
    "changes": "--set",
    "encoder": "-e",
    "from_file": "--from",
    "model": "-n",
    "model_path": "-m",
    "output": "-o",
    "recursive": "-r",
    "settings": "--set",
    "source_options": "--source-option",
}


def describe(error: BaseException | Message | str) -> str:
    """Returns the message of an error or a warning with its cures, such as "... : add --engine pytorch"."""
    if isinstance(error, str):
        return error
    message = error if isinstance(error, Message) else Message.from_exception(error)
    return worded(message.text, message.cures, describe_cure)


@contextmanager
def printed_warnings() -> Iterator[None]:
    """Print our warnings of the work inside as lines of standard error, once it has ended; drop all others."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", HyperacuityWarning)
        yield
    for warning in noted:
        if isinstance(warning.message, HyperacuityWarning):
            print_line(f"warning: {describe(warning.message)}", sys.stderr)


def describe_cure(cure: Cure) -> str:
    """Returns one cure in words, such as "add --engine pytorch and leave out --tile"."""
    if isinstance(cure, Run):
        return "run: " + shlex.join(["hyperacuity", cure.command, *cure.subjects])
    added, others, omitted = [], [], []
    for name, value in cure.options.items():
        option = NAMES.get(name, "--" + name.replace("_", "-"))
        if value is LEAVE_OUT or value is False:
            omitted.append(option)
        elif value is OTHER:
            others.append(option)
        else:
            added.append(_write(option, value))
    parts = (("add", added), ("give another", others), ("leave out", omitted))
    return " and ".join(f"{verb} {' and '.join(words)}" for verb, words in parts if words)


def _write(option: str, value: object) -> str:
    if value is True:
        return option
    if isinstance(value, Mapping):
        return " ".join(f"{option} {name}={entry}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return f"{option} {' '.join(map(str, value))}"
    return f"{option} {value}"
