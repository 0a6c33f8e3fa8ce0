"""Decodes frames by gdcm in a process of its own, since a damaged file can end gdcm's C++ code and its process.

As a program, this file reads requests from standard input and writes frames to standard output. It imports nothing of
this package, so that it starts quickly.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

PLUGIN = "gdcm"


class Decoder:
    """A process that is started with the first frame, and again after it has ended. For any number of threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(self, path: Path, frame: int) -> NDArray[Any]:
        """Return one frame as pydicom does.

        Args:
            path: The file.
            frame: The number of the frame, from 0 on.

        Raises:
            ValueError: If the frame is damaged.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps([str(path.absolute()), frame]).encode() + b"\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline() or b"null")
                data = process.stdout.read(answer["bytes"]) if answer else b""
            except OSError:
                answer, data = None, b""
            if answer is None or len(data) < answer["bytes"]:
                self._end()
                raise ValueError("the decoder has ended")
        if not answer["bytes"]:
            raise ValueError("the frame cannot be decoded")
        return np.frombuffer(data, answer["dtype"]).reshape(answer["shape"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-P", __file__]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
            atexit.register(self._end)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self._end)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


DECODER = Decoder()


def _serve() -> None:
    """Answer each request by a line about the frame, and its bytes; none for a damaged one."""
    import pydicom.pixels

    pixels = cast("Any", pydicom.pixels)
    path, dataset = "", cast("Any", None)
    for line in sys.stdin.buffer:
        wanted, frame = json.loads(line)
        try:
            if wanted != path:
                path, dataset = wanted, pydicom.dcmread(wanted, force=True)
            array = np.ascontiguousarray(pixels.pixel_array(dataset, index=frame, decoding_plugin=PLUGIN))
        except Exception:
            array = np.empty(0, np.uint8)
        answer = {"bytes": array.nbytes, "dtype": array.dtype.str, "shape": array.shape}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + array.tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
