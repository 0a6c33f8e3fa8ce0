"""The command `hyperacuity`, also as `python -m hyperacuity`: Ctrl-C ends it quietly whenever it is pressed."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing `typing` would delay the answer to Ctrl-C

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command, and end with 130 if Ctrl-C is pressed while its modules are imported."""
    try:
        import signal

        # A shell starts jobs in the background with Ctrl-C ignored, and they keep it so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _leave)
        sys.unraisablehook = _report_unraisable
        from hyperacuity.cli import main as run_command

        run_command()
    except KeyboardInterrupt:
        _leave()


def _leave(number: int = 2, frame: FrameType | None = None) -> None:
    """End at once. An exception would not do: some extension modules turn it into an ImportError."""
    if storage := sys.modules.get("hyperacuity.storage"):
        storage.abandon()
    os._exit(130)


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Leave where Python would only report Ctrl-C and continue: in a callback of its own, such as a destructor."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _leave()
    sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
