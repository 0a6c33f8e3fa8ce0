"""Ctrl-C, `kill` and a closed terminal: as a request to stop, or as an exception."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hyperacuity.task import Stop


class Interruption:
    """A request to stop that is set by signals.

    Attributes:
        stop: The object that the work checks.
        code: The exit code that a shell expects after the signal, such as 130; 0 before a signal has come.
    """

    def __init__(self) -> None:
        self.stop = Stop()
        self.code = 0


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn the first signal into a request to stop; the second one ends the process at once.

    After the first signal the work ends in an orderly way, which may take until a large image is encoded. Half-written
    files are removed in both cases.
    """
    interruption = Interruption()

    def handle(number: int, _: FrameType | None) -> None:
        if interruption.stop.is_set():
            from hyperacuity import storage

            storage.abandon()
            os._exit(128 + number)
        interruption.code = 128 + number
        interruption.stop.set()

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP, and `nohup` has it ignored
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ctrl_c_raises() -> Iterator[None]:
    """Let Ctrl-C end the work inside by a KeyboardInterrupt; a second one does what it did outside.

    Libraries may turn that exception into another one, or suppress it: pybind11 makes it an ImportError if it comes
    while a module is imported. It is raised again at the end then.
    """
    before = signal.getsignal(signal.SIGINT)
    pressed = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(number, before)
        raise KeyboardInterrupt

    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt
