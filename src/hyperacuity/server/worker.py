"""A worker process: keeps its models open, and runs the jobs that arrive on standard input, one after another.

Messages are lines of JSON. In: {"run": task, "folder": path}, {"stop": true}. Out: {"ready": pid}, {"progress": share},
{"outcome": outcome}, {"stopped": true}. The process has no secrets in its environment, cannot reach the network where
the system allows it to give that up, and writes no core dumps.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from hyperacuity import formats
from hyperacuity.formats.photo.limits import MAX_PIXELS_VARIABLE
from hyperacuity.server import previews
from hyperacuity.server.limits import check_source
from hyperacuity.task import Message, Outcome, Progress, Stop, Stopped, Task
from hyperacuity.tasks import Naming, Observer, Upscalers, run

# Of Linux: unshare(2) and prctl(2).
_NEW_NETWORK, _PARENT_DEATH_SIGNAL = 0x40000000, 1
# Seconds between two reports of progress.
_INTERVAL = 0.2


class _Reporter(Observer):
    """Sends the progress of the task, not more often than it is looked at."""

    def __init__(self, send: Any) -> None:
        self._send, self._sent = send, 0.0

    def progress(self, task: Task, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._sent >= _INTERVAL:
            self._sent = now
            self._send({"progress": min(progress.done, 1.0)})


def main() -> None:
    """Serve until standard input ends."""
    # Libraries may print: what the server reads is a copy that they do not know.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    _confine()
    if sys.platform != "win32" and os.getppid() != int(os.environ.get("HYPERACUITY_SERVER", os.getppid())):
        return  # the server has ended before its death could be heard of
    lock = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with lock, contextlib.suppress(BrokenPipeError):
            output.write(json.dumps(message) + "\n")
            output.flush()

    work: queue.Queue[dict[str, Any] | None] = queue.Queue()
    stops: list[Stop] = []
    threading.Thread(target=_listen, args=(sys.stdin, work, stops), daemon=True).start()
    upscalers = Upscalers()
    send({"ready": os.getpid()})
    while (message := work.get()) is not None:
        stop = Stop()
        stops.append(stop)
        try:
            outcome, kind = _run(message, stop, _Reporter(send), upscalers)
            if outcome.error is None:
                _preview(message, Path(outcome.target), kind)
            send({"outcome": _without_paths(outcome.to_json(), message)})
        except Stopped:
            send({"stopped": True})
        finally:
            stops.remove(stop)


def _listen(source: IO[str], work: queue.Queue[dict[str, Any] | None], stops: list[Stop]) -> None:
    """Pass jobs on, and set the running one's stop when asked to, and when the server is gone."""
    for line in source:
        message = json.loads(line)
        if message.get("stop"):
            for stop in list(stops):
                stop.set()
        else:
            work.put(message)
    for stop in list(stops):
        stop.set()
    work.put(None)


def _run(message: dict[str, Any], stop: Stop, observer: Observer, upscalers: Upscalers) -> tuple[Outcome, str]:
    """The outcome, and the kind of the source."""
    task = Task.from_json(message["run"])
    source, folder = Path(task.source), Path(message["folder"])
    try:
        kind = check_source(source, task, message["limits"])
    except Exception as error:
        if isinstance(error, Stopped):
            raise
        return Outcome(task.source, task.target, error=Message.from_exception(error)), ""
    extension = message.get("ending") or _ending(message["name"], kind)
    target = Naming("", "", extension).name(source, folder).with_stem("result")
    task = Task.from_json(message["run"] | {"target": str(target), "force": True})
    return run(task, observer, stop, upscalers=upscalers), kind


def _preview(message: dict[str, Any], result: Path, kind: str) -> None:
    """Make the previews of a result, which may have more pixels than a source."""
    kept = os.environ[MAX_PIXELS_VARIABLE]
    os.environ[MAX_PIXELS_VARIABLE] = str(
        max(message["limits"][f"max_{which}_pixels"] for which in ("input", "output"))
    )
    try:
        previews.write(Path(message["run"]["source"]), result, Path(message["folder"]), kind)
    finally:
        os.environ[MAX_PIXELS_VARIABLE] = kept


def _without_paths(content: Any, message: dict[str, Any]) -> Any:
    """An outcome in whose texts the client's names stand in place of the server's paths."""
    if isinstance(content, dict):
        return {key: _without_paths(value, message) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_paths(value, message) for value in content]
    if isinstance(content, str):
        folder = message["folder"]
        plain = content.replace(message["run"]["source"], message["name"]).replace(f"{folder}{os.sep}", "")
        return plain.replace(folder, "the job's folder")
    return content


def _ending(name: str, kind: str) -> str | None:
    """The ending of the client's name if it is of this kind, as on the command line; None for that of the content."""
    path = Path(name)
    known = formats.names_video(path) if kind == "video" else formats.knows(path)
    return path.suffix if known else None


def _confine() -> None:
    """Give up what a worker does not need, as far as the system allows."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    memory = int(os.environ.get("HYPERACUITY_WORKER_MEMORY", "0"))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with contextlib.suppress(OSError, AttributeError):
        system = ctypes.CDLL(None, use_errno=True)
        system.unshare(_NEW_NETWORK)
        # A server that is killed takes its workers along: the next one starts others on the same jobs.
        system.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    main()
