"""Processes on this machine. Each stays as long as there are tasks, so a model is opened once in each."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from hyperacuity import machine
from hyperacuity.cluster import leases
from hyperacuity.cluster.manifest import Plan
from hyperacuity.cluster.runners.protocol import LOST, Report, RunSettings
from hyperacuity.errors import HyperacuityError
from hyperacuity.task import Stop

# Seconds after which a request to stop is noticed.
_POLL = 0.2


def run(plan: Plan, numbers: Sequence[int], settings: RunSettings, stop: Stop) -> Iterator[Report]:
    """See `Runner.run`."""
    count = min(settings.workers or machine.cores(), len(numbers))
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)
    reports: queue.SimpleQueue[Report | BaseException | None] = queue.SimpleQueue()
    slots = [_Slot(plan, settings, _cores(n, count), waiting, reports, stop) for n in range(count)]
    try:
        for slot in slots:
            slot.start()
        running = count
        while running:
            with contextlib.suppress(queue.Empty):
                report = reports.get(timeout=_POLL)
                if report is None:
                    running -= 1
                elif isinstance(report, BaseException):
                    raise report
                else:
                    yield report
            if stop.is_set():
                for slot in slots:
                    slot.ask_to_stop()
    finally:
        for slot in slots:
            slot.end()


class _Slot(threading.Thread):
    """One worker process at a time, and the thread that gives it tasks."""

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings,
        cores: list[int],
        waiting: queue.SimpleQueue[int],
        reports: queue.SimpleQueue[Report | BaseException | None],
        stop: Stop,
    ) -> None:
        super().__init__(daemon=True)
        self._plan, self._settings, self._cores = plan, settings, cores
        self._waiting, self._reports, self._stop_work = waiting, reports, stop
        self._process: subprocess.Popen[str] | None = None
        self._holder = ""
        self._lock, self._asked = threading.Lock(), False

    def run(self) -> None:
        """Give tasks to the process until there are none."""
        try:
            while not self._stop_work.is_set():
                try:
                    number = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if (report := self._work(number)) is not None:
                    self._reports.put(report)
            self._close()
            self._reports.put(None)
        except BaseException as error:
            self._reports.put(error)

    def _work(self, number: int) -> Report | None:
        if self._process is None:
            self._begin()
        process = self._process
        assert process is not None
        assert process.stdout is not None
        self._send({"task": number})
        line = process.stdout.readline()
        if line:
            return Report.from_json(json.loads(line)["report"])
        code = process.wait()
        self._close()
        if self._stop_work.is_set():
            return None
        with contextlib.suppress(HyperacuityError):
            leases.lose(self._plan, number, self._holder)
        return Report(number, LOST, reason=f"its process ended with {code}")

    def _begin(self) -> None:
        self._holder = leases.new_holder()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hyperacuity.cluster.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C in a terminal goes to all processes of a session
        )
        self._holder = f"{self._holder.partition(':')[0]}:{self._process.pid}:{self._holder.rpartition(':')[2]}"
        self._send(
            {
                "plan": self._plan.location,
                "settings": self._settings.to_json(),
                "cores": self._cores,
                "holder": self._holder,
            }
        )

    def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            with self._lock, contextlib.suppress(OSError, ValueError):  # one that has ended is noticed when it is read
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()

    def ask_to_stop(self) -> None:
        """Let the running task end at its next rows or frame."""
        if not self._asked:
            self._asked = True
            self._send({"stop": True})

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def end(self) -> None:
        """End the process at once if it still runs."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
        if self.is_alive():
            self.join()
        self._close()


def _cores(slot: int, count: int) -> list[int]:
    """The cores for one of several workers: their own share, so that they do not wait for each other."""
    if count < 2 or not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[slot::count] or [allowed[slot % len(allowed)]]
