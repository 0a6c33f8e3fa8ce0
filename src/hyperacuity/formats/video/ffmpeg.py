"""FFmpeg's peculiarities: its file names, error messages and thread priorities."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path


def ffmpeg_path(path: Path, *, pattern: bool) -> str:
    """Returns a path in the form that FFmpeg expects: absolute, since "12:30.mkv" alone would be read as an address.

    Args:
        path: Of a file, or a pattern of frames.
        pattern: Whether it is a pattern; a percent sign in its folders is then escaped.
    """
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder.replace("%", "%%") if pattern else folder, name)


def error_text(error: Exception) -> str:
    """Returns the message of an FFmpeg error, in lower case and without its number."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).split(":")[0].lower()


@contextlib.contextmanager
def keep_thread_priority() -> Iterator[None]:
    """Give the threads that an encoder starts in this block the priority of the first, and leave the caller its own.

    SVT-AV1, run by root, makes all of them real-time threads of the highest priority, which freezes the machine.
    """
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = {task.name for task in tasks.iterdir()} - {str(threading.get_native_id())}
    try:
        yield
    finally:
        for name in {task.name for task in tasks.iterdir()} - before:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.sched_setscheduler(int(name), policy, parameters)
