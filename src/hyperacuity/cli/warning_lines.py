"""Warnings of a command as lines on standard error, each once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hyperacuity.cli.streams import print_line
from hyperacuity.cli.wording import describe
from hyperacuity.errors import HyperacuityWarning


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print warnings of the work inside as lines; those of libraries as Python does."""
    with _shown(lambda text: print_line(text, sys.stderr)):
        yield


@contextmanager
def warnings_above(console: Any) -> Iterator[None]:
    """Print warnings of the work inside as lines above the bar of a console of rich."""
    with _shown(lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True)):
        yield


@contextmanager
def _shown(show: Callable[[str], None]) -> Iterator[None]:
    printed: set[str] = set()

    def receive(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        is_ours = isinstance(message, HyperacuityWarning)
        text = f"warning: {describe(message)}" if is_ours else warnings.formatwarning(message, category, *rest[:2])
        if text not in printed:
            printed.add(text)
            show(text.rstrip())

    with warnings.catch_warnings():
        warnings.simplefilter("always", HyperacuityWarning)
        warnings.showwarning = receive
        yield
