"""Runs the command in this process for speed, or in a new one if signals, streams or the environment matter."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from hyperacuity import cli

COMMAND = [sys.executable, "-c", "from hyperacuity.__main__ import main; main()"]
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def spawn(*arguments: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run the command in a new process."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, check=False, **({"text": True} | options)
    )


def run(*arguments: str, folder: Path, text: bool = True, input: bytes = b"") -> subprocess.CompletedProcess[Any]:
    """Run the command in this process, with pipes as its streams."""
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(input)))
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    code: object = 0
    try:
        with (
            contextlib.chdir(folder),
            mock.patch.multiple(sys, argv=["hyperacuity", *arguments], stdin=stdin, stdout=stdout, stderr=stderr),
        ):
            try:
                cli.main()
            except SystemExit as end:
                code = end.code or 0
                if isinstance(code, str):  # as the interpreter does
                    print(code, file=sys.stderr)
                    code = 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    results: list[Any] = []
    for stream in (stdout, stderr):
        stream.flush()
        content = stream.buffer.getvalue()
        results.append(content.decode() if text else content)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, *results)
