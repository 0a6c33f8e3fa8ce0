"""Warnings as messages of the task that caused them.

Python has one hook for warnings for the whole process, and several tasks run at once. While any task runs, the hook
here takes the warnings, and finds the task in a context variable, which the threads of a task's work inherit.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from hyperacuity.errors import HyperacuityWarning

_receiver: contextvars.ContextVar[Callable[[Warning], None] | None] = contextvars.ContextVar("receiver", default=None)
_lock = threading.Lock()
_count = 0
_hook = contextlib.ExitStack()


@contextlib.contextmanager
def receiving(receive: Callable[[Warning], None]) -> Iterator[None]:
    """Call `receive` with each warning of the work inside, instead of showing it."""
    _install()
    token = _receiver.set(receive)
    try:
        yield
    finally:
        _receiver.reset(token)
        _uninstall()


def _install() -> None:
    global _count  # noqa: PLW0603 - the hook is global, as Python's own is
    with _lock:
        _count += 1
        if _count > 1:
            return
        _hook.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always", HyperacuityWarning)
        warnings.showwarning = _shower(warnings.showwarning)


def _uninstall() -> None:
    global _count  # noqa: PLW0603
    with _lock:
        _count -= 1
        if _count == 0:
            _hook.close()


def _shower(before: Callable[..., None]) -> Callable[..., None]:
    """The hook: passes a warning to the task that caused it, or otherwise to the previous hook `before`."""

    def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        receive = _receiver.get()
        if receive is None:
            before(message, category, *rest, **named)
        else:
            receive(message if isinstance(message, Warning) else category(message))

    return show
