"""A process that works on tasks as the local runner gives them: `python -m hyperacuity.cluster.worker`.

It reads lines of JSON from standard input, {"task": 7} and {"stop": true}, and writes {"report": {...}} for each task.
The end of standard input stops it: what runs is given back.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import IO, Any

from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import FAILED, LOST, Report, RunSettings
from hyperacuity.cluster.work import Worker
from hyperacuity.errors import HyperacuityError, Unreachable
from hyperacuity.task import Message, Outcome, Stop


def main() -> None:
    """Work until standard input ends."""
    # Libraries may print: what the runner reads is a copy that they do not know.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which decides what to do
    content: dict[str, Any] = json.loads(sys.stdin.readline())
    if content["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, content["cores"])
    stop, waiting = Stop(), queue.Queue[int | None]()
    threading.Thread(target=_listen, args=(sys.stdin, waiting, stop), daemon=True).start()
    with Plan(content["plan"]) as plan:
        worker: Worker | None = None
        while (number := waiting.get()) is not None and not stop.is_set():
            try:
                if worker is None:
                    worker = Worker(plan, RunSettings.from_json(content["settings"]), stop, holder=content["holder"])
                report = worker.work_on(number)
            except Unreachable as error:
                report = Report(number, LOST, reason=error.message, unreachable=True)
            except HyperacuityError as error:  # of this machine, or of the store: no task is to blame
                message = Message.from_exception(error)
                files = plan.task(number).files
                report = Report(
                    number, FAILED, tuple(Outcome(each.source, each.target, error=message) for each in files)
                )
            output.write(json.dumps({"report": report.to_json()}) + "\n")
        if worker is not None:
            worker.close()


def _listen(source: IO[str], waiting: queue.Queue[int | None], stop: Stop) -> None:
    for line in source:
        message = json.loads(line)
        if message.get("stop"):
            stop.set()
        else:
            waiting.put(message["task"])
    stop.set()
    waiting.put(None)


if __name__ == "__main__":
    main()
